"""The probabilities that a run keeps: what they say, that they cost the run nothing else, and damaged files."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import changed, run_alone, short_config
from rich.console import Console
from short_training import converged_config, die_after, segment_config
from tones import make_tones

from sweep.config import RunConfig
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.results.probabilities import (
    PROBABILITIES,
    Keeper,
    kept_recordings,
    quantise,
    read_probabilities,
    write_probabilities,
)
from sweep.training.hearing import whole_of
from sweep.training.loading import load
from sweep.transcribe.trained import load_transcriber

SAMPLES = 220_500  # of a recording of tones
INSTANTS = 512 * np.arange(431)  # 430 times 512 is 220,160


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_tones(root)
    return root


def file_of(config: RunConfig) -> Path:
    return config.folder / PROBABILITIES


def test_a_quantised_probability_is_on_the_same_side_of_each_multiple():
    """Also the neighbours of the multiples in float32, in which runs compare."""
    levels = np.arange(256).astype(np.float32) / np.float32(255)
    near = [np.nextafter(levels, np.float32(side)) for side in (-1, 2)]
    p = np.concatenate([levels, *near, np.random.default_rng(0).random(5000, dtype=np.float32)]).clip(0, 1)
    q = quantise(p)
    for level in range(255):
        threshold = level / 255
        assert ((q > level) == (p > np.float32(threshold))).all()
    assert q.dtype == np.uint8 and abs(q / 255 - p).max() <= 1 / 255 + 1e-7 and (q / 255 - p).min() > -1e-7


@pytest.mark.parametrize("note_step", [512, 2048, None])
def test_a_model_of_windows_hears_one_each_512_samples(note_step, root, tmp_path):
    """Whatever notes are formed from; as `hear` does at that step, rounded up."""
    config = short_config(root, tmp_path / "runs", "linear-256", keep_probabilities=True, protocol__note_step=note_step)
    run_alone(config)
    transcriber, _, _ = load_transcriber(config.folder, "cpu")
    test = Recordings(read_split(root, "test"))
    with np.load(file_of(config)) as file:
        assert sorted(file) == ["frames/2001", "frames/2002", "hop"] and file["hop"] == 512 / 44_100
        for index, name in enumerate(test.ids):
            expected = whole_of(transcriber, test, index, 512).heads["frames"][:, 21:109].T
            assert file[f"frames/{name}"].shape == expected.shape == (88, len(INSTANTS))
            assert abs(file[f"frames/{name}"] - np.ceil(255 * expected)).max() <= 1  # another order of windows
            assert (file[f"frames/{name}"] == np.ceil(255.0 * expected)).mean() > 0.999


@pytest.mark.parametrize("hop", [512, 128])
def test_a_model_of_segments_gives_the_nearest_of_its_frames(hop, root, tmp_path):
    """Frames 32 ms apart, so that each is kept two or three times, and 8 ms apart, so that some are not."""
    row = {"representation__sample_rate": 16_000, "representation__hop_length": hop, "representation__f_max": 7000}
    config = changed(segment_config(root, tmp_path / "runs", keep_probabilities=True), **row)
    run_alone(config)
    test = load(config.data, 16_000, torch.device("cpu"), Console(quiet=True)).test
    heard = whole_of(load_transcriber(config.folder, "cpu")[0], test, 1, None)
    nearest = np.rint(INSTANTS / 44_100 * 16_000 / hop).astype(int).clip(max=SAMPLES * 16_000 // 44_100 // hop)
    with np.load(file_of(config)) as file:
        assert sorted(file) == ["frames/2001", "frames/2002", "hop", "onsets/2001", "onsets/2002"]
        assert file["hop"][0] == pytest.approx(hop / 16_000, rel=1e-12)
        for head in ("frames", "onsets"):
            expected = np.ceil(255.0 * heard.heads[head][nearest, 21:109].T)
            assert (file[f"{head}/2002"] == expected).mean() > 0.999


def test_keeping_changes_no_score_and_not_the_identity(root, tmp_path):
    config = short_config(root, tmp_path / "kept", "mel-512-128", keep_probabilities=True)
    other = replace(config, runs=str(tmp_path / "other"), keep_probabilities=False)
    write_probabilities(other.folder, b"of an attempt that was killed")
    assert run_alone(config).recordings == run_alone(other).recordings and config.identity == other.identity
    assert file_of(config).exists() and not file_of(other).exists()


def test_a_run_that_resumes_keeps_what_one_in_one_go_keeps(root, tmp_path, monkeypatch):
    """Also where only the second command asks for it."""
    config = converged_config(root, tmp_path / "runs", keep_probabilities=True)
    whole = replace(config, runs=str(tmp_path / "whole"))
    run_alone(whole)
    die_after(3, replace(config, keep_probabilities=False), monkeypatch)
    assert not file_of(config).exists()
    assert 0 < run_alone(config).resumed_from < 6
    assert file_of(config).read_bytes() == file_of(whole).read_bytes()


# Files


def keep(folder: Path, instants: int = 431, **heads: np.ndarray) -> None:
    """Write the probabilities of recording "x"."""
    keeper = Keeper()
    keeper.add("x", heads or {"frames": np.random.default_rng(0).random((instants, 88))}, 512 / 44_100)
    folder.mkdir(exist_ok=True)
    write_probabilities(folder, keeper.content())


def test_what_was_kept_is_read_again(tmp_path):
    assert kept_recordings(tmp_path) is None
    frames, onsets = np.random.default_rng(1).random((2, 431, 88))
    keep(tmp_path, frames=frames, onsets=onsets)
    assert kept_recordings(tmp_path) == ["x"]
    found = read_probabilities(tmp_path, "x", SAMPLES)
    assert found.hop == 512 / 44_100 and list(found.heads) == ["frames", "onsets"]
    for kept, given in zip(found.heads.values(), (frames, onsets), strict=True):
        assert (kept == np.ceil(255 * given)).all()
    at = found.at(np.array([0.0, 5.0, 1.0]))["frames"]  # 1 s is nearest to 86 times 512 samples
    assert (at == found.heads["frames"][[0, 430, 86]]).all()


def test_frames_far_apart_are_found_again(tmp_path):
    """Frames each 32 ms, repeated at the instants nearest to them."""
    frames = np.random.default_rng(0).random((157, 88))
    keeper = Keeper()
    keeper.add("x", {"frames": frames[np.rint(INSTANTS / 44_100 / 0.032).astype(int).clip(max=156)]}, 0.032)
    write_probabilities(tmp_path, keeper.content())
    found = read_probabilities(tmp_path, "x", SAMPLES)
    assert (found.at(0.032 * np.arange(157))["frames"] == np.ceil(255 * frames)).all()
    assert (found.at(np.array([0.0161, 0.0159]))["frames"] == np.ceil(255 * frames[[1, 0]])).all()


def packed(folder: Path, how: int = zipfile.ZIP_DEFLATED, **members: np.ndarray | bytes) -> None:
    """Write a file with given members; "frames" and "onsets" are those of recording "x"."""
    with zipfile.ZipFile(folder / PROBABILITIES, "w", how) as file:
        for name, content in ({"hop": np.array([0.0116])} | members).items():
            if isinstance(content, np.ndarray):
                buffer = io.BytesIO()
                np.save(buffer, content)
                content = buffer.getvalue()
            file.writestr(f"{name}/x.npy" if name != "hop" else "hop.npy", content)


def header(kind: str, shape: tuple[int, ...]) -> bytes:
    """The start of an .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": kind, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


GOOD = np.zeros((88, 431), np.uint8)
DAMAGED = {
    "floats": ({"frames": np.zeros((11, 431))}, r"its frames/x is float64 of shape \(11, 431\)"),
    "int8": ({"frames": GOOD.astype(np.int8)}, r"its frames/x is int8 of shape \(88, 431\)"),
    "turned": ({"frames": GOOD.T.copy()}, r"shape \(431, 88\)"),
    "flat": ({"frames": GOOD.ravel()}, r"its frames/x is uint8 of shape \(37928,\)"),
    "objects": ({"frames": header("|O", (4741,)) + bytes(37_928)}, "does not take"),
    "unlike heads": ({"frames": GOOD, "onsets": GOOD[:, 1:]}, "its heads of x differ in length"),
    "no frames": ({"onsets": GOOD}, "it has no frames/x"),
    "no hop": ({"frames": GOOD, "hop": np.array([np.nan])}, "its hop is nan s"),
    "two hops": ({"frames": GOOD, "hop": np.ones(2)}, "too many values"),
    "no array": ({"frames": b"no array" * 4757}, "magic"),
    "another packing": ({"frames": GOOD, "how": zipfile.ZIP_LZMA}, "packed in a way that no run packs it"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_named_in_a_line_with_the_remedy(kind, tmp_path):
    members, said = DAMAGED[kind]
    packed(tmp_path, **members)
    with pytest.raises(ValueError, match=f"{PROBABILITIES}: damaged, .*{said}.*overwrite=true") as caught:
        read_probabilities(tmp_path, "x", SAMPLES)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_zip_or_cannot_be_read(tmp_path):
    (tmp_path / PROBABILITIES).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ValueError, match=rf"{PROBABILITIES}: damaged, .*keep_probabilities=true overwrite=true"):
        kept_recordings(tmp_path)
    (tmp_path / PROBABILITIES).unlink()
    (tmp_path / PROBABILITIES).mkdir()
    with pytest.raises(ValueError, match="cannot be read"):
        kept_recordings(tmp_path)


def test_a_recording_may_be_an_instant_longer_or_shorter(tmp_path):
    for instants in (430, 431, 432):
        keep(tmp_path, instants)
        assert len(read_probabilities(tmp_path, "x", SAMPLES).heads["frames"]) == instants
    for instants in (1, 429, 433):
        keep(tmp_path, instants)
        with pytest.raises(ValueError, match=rf"x has {instants} instants, the recording 431: .* --root DIR, or keep_"):
            read_probabilities(tmp_path, "x", SAMPLES)
