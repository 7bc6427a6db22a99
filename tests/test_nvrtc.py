"""GPU kernels' binaries are kept in the user's cache: compiled once for a source, a GPU and a compiler, and checked."""

import pytest

from sweep.engines.gpu import nvrtc

ASKED = ("the source", "fft.cu", "sm_90", {"N": 512, "LOG": 1})


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """What was compiled so far; the cache is in a folder that is not there yet."""
    asked = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(nvrtc, "_version", lambda: (12, 8))
    monkeypatch.setattr(nvrtc, "_compile", lambda *what: asked.append(what) or repr(what).encode())
    return asked


def test_a_binary_is_compiled_once(compiled):
    assert nvrtc._binary(*ASKED) == nvrtc._binary(*ASKED) == repr(ASKED).encode()
    assert len(compiled) == 1
    assert [path.name.startswith("fft.cu-") for path in nvrtc._cache().iterdir()] == [True]  # no partial file is left


@pytest.mark.parametrize("place, other", [(0, "another"), (2, "sm_80"), (3, {"N": 512, "LOG": 0})])
def test_another_source_gpu_or_constant_is_compiled_anew(place, other, compiled):
    nvrtc._binary(*ASKED)
    changed = tuple(other if i == place else part for i, part in enumerate(ASKED))
    assert nvrtc._binary(*changed) == repr(changed).encode() and len(compiled) == 2


def test_so_by_another_compiler(compiled, monkeypatch):
    nvrtc._binary(*ASKED)
    monkeypatch.setattr(nvrtc, "_version", lambda: (13, 0))
    nvrtc._binary(*ASKED)
    assert len(compiled) == 2


@pytest.mark.parametrize("damage", [lambda kept: kept[:-1], lambda kept: kept[:-1] + b"!", lambda kept: b""])
def test_a_damaged_file_is_compiled_anew(damage, compiled):
    nvrtc._binary(*ASKED)
    (path,) = nvrtc._cache().iterdir()
    path.write_bytes(damage(path.read_bytes()))
    assert nvrtc._binary(*ASKED) == repr(ASKED).encode() and len(compiled) == 2
    nvrtc._binary(*ASKED)
    assert len(compiled) == 2  # it was replaced


def test_a_cache_that_cannot_be_written_is_done_without(compiled, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert nvrtc._binary(*ASKED) == nvrtc._binary(*ASKED) and len(compiled) == 2
