"""What the tests share: the 34 rows, some music, the definition's answer to it, the devices, and a small data set."""

import functools
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from definition import definition

from sweep.config.conf import settings
from sweep.representations import Representation, from_tree

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("SWEEP_SHARED_DATA", ROOT.parent / "shared" / "data"))
SAMPLE_RATE, WINDOW = 44100, 16384  # Hz; samples, the protocol's

gpu = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))
DEVICES = ["cpu", pytest.param("cuda", marks=gpu)]


def read_settings(name: str) -> dict:
    """The keys of conf/representation/<name>.yaml over those of its base, as Hydra composes them."""
    return {**settings(ROOT / "conf" / "representation" / f"{name}.yaml"), "name": name}


def read_grid(name: str = "all") -> list[str]:
    """The names in conf/grid/<name>.yaml; of "all", in the paper's order."""
    grid = yaml.safe_load((ROOT / "conf" / "grid" / f"{name}.yaml").read_text())
    return grid["hydra"]["sweeper"]["params"]["representation"].replace(" ", "").split(",")


ALL_34: list[Representation] = [from_tree(read_settings(name)) for name in read_grid()]
ROWS = {r.name: r for r in ALL_34}
SYSTEMS: list[Representation] = [from_tree(read_settings(name)) for name in read_grid("systems")]
# A family each, the spectral engine among them; for properties that one row of a kind shows as well as all.
FOUR = [ROWS[name] for name in ("linear-512", "log-4096", "mel-2048-128", "cqt-24")]


def each(rows: list[Representation] = ALL_34, long: tuple[str, ...] = ()):
    """Parametrise a test over rows, named by them; those called `long` are left to `make test-long`."""
    marked = [pytest.param(row, marks=[pytest.mark.long] * (row.name in long)) for row in rows]
    return pytest.mark.parametrize("representation", marked, ids=[row.name for row in rows])


@functools.cache
def synthesised_music() -> np.ndarray:
    """(16384,) float64: four chords of struck strings, a ninth of a second apart, over a noise floor."""
    rng = np.random.default_rng(0)
    x = 1e-3 * rng.standard_normal(WINDOW)
    for start, chord in ((0, (45, 52, 61)), (4900, (48, 64, 67, 76)), (9800, (43, 59, 74)), (14700, (45, 57, 73))):
        t = np.arange(WINDOW - start) / SAMPLE_RATE
        for note in chord:  # MIDI
            for partial in range(1, 11):  # slightly sharp, and the higher the sooner gone
                frequency = 440 * 2 ** ((note - 69) / 12) * partial * (1 + 4e-4 * partial**2) ** 0.5
                phase = rng.uniform(0, 2 * np.pi)
                x[start:] += 0.1 / partial * np.exp(-3 * partial * t) * np.sin(2 * np.pi * frequency * t + phase)
    return x


@functools.cache
def recorded_music() -> np.ndarray:
    """(5, 16384) float64: places in MusicNet's 2303, some 15 s apart; (0, 16384) where it is not at hand."""
    path = SHARED / "musicnet-mini" / "test_data" / "2303.flac"
    if not path.exists():
        return np.empty((0, WINDOW))
    soundfile = pytest.importorskip("soundfile")
    return np.stack([soundfile.read(path, WINDOW, 15 * second * SAMPLE_RATE)[0] for second in range(1, 6)])


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C is heard in a test and in what it starts, as from a terminal.

    A script's `make test &` has it ignored, which children inherit; so has Lightning after a KeyboardInterrupt.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def forgotten(monkeypatch):
    """Hydra knows the classes that a test registers, and after the test nobody does."""
    from sweep.config.registered import offer
    from sweep.registry import compressions, families, models, sources

    offer()
    for registry in (models, families, sources, compressions):
        registry.names()  # its own classes are loaded
        for kept in ("_classes", "_codes"):
            monkeypatch.setattr(registry, kept, dict(getattr(registry, kept)))


@pytest.fixture(scope="session")
def music() -> torch.Tensor:
    """(clips, 16384) float32: synthesised, and genuine where it is at hand."""
    return torch.from_numpy(np.concatenate([synthesised_music()[None], recorded_music()])).float()


@pytest.fixture(scope="session")
def defined(music):
    """From a representation to its definition's value on `music`, each computed once."""
    return functools.cache(lambda representation: definition(representation, music.double().numpy()))


@pytest.fixture(scope="session")
def small_set(tmp_path_factory) -> Path:
    """Three training and two test recordings of 4 s, in a folder called tiny; nobody writes into it."""
    from sweep.data.sources.demo import make_demo  # here: the numeric tests go without soundfile

    root = tmp_path_factory.mktemp("data") / "tiny"
    make_demo(root, train=3, test=2, seconds=4)
    return root
