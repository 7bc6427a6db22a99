"""Targets are what a plain reading of the label file says, at every sample."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from sweep.data.labels import read_labels
from sweep.data.recording import Recording
from sweep.data.recordings import Recordings

SHARED = Path(os.environ.get("SWEEP_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def plain_reading(path: Path, samples: np.ndarray) -> np.ndarray:
    """The multi-hot targets at given samples, row by row."""
    expected = np.zeros((len(samples), 128), dtype=np.float32)
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            sounds = (samples >= int(row["start_time"])) & (samples < int(row["end_time"]))
            expected[sounds, int(row["note"])] = 1
    return expected


def telling_samples(notes: np.ndarray, n_samples: int) -> np.ndarray:
    """Samples at every start and end and right before, at either end of the recording, and 2,000 random ones."""
    times = notes[:, :2].ravel()
    random = np.random.default_rng(0).integers(0, n_samples, 2000)
    samples = np.concatenate([times, times - 1, [0, n_samples - 1], random])
    return samples[(samples >= 0) & (samples < n_samples)]


def silent(name: str, notes: np.ndarray, n_samples: int) -> Recording:
    return Recording(name, np.zeros(n_samples, np.int16), 44100, notes, Path(f"{name}.wav"))


def write_random_labels(path: Path, n_samples: int, n_notes: int, seed: int) -> None:
    """Few pitches and long notes, so that notes of equal pitch overlap in every way."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, n_samples, n_notes)
    end = start + rng.integers(1, n_samples // 4, n_notes)
    note = rng.choice([0, 59, 60, 61, 127], n_notes)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["start_time", "end_time", "note"])
        writer.writerows(zip(start, end, note, strict=True))


def assert_targets_as_read(paths: list[Path], lengths: list[int]) -> None:
    """All the files' recordings in one `Recordings`, in one mixed batch."""
    notes = [read_labels(path, n_samples) for path, n_samples in zip(paths, lengths, strict=True)]
    recordings = Recordings([silent(p.stem, *rest) for p, *rest in zip(paths, notes, lengths, strict=True)])
    samples = [telling_samples(*pair) for pair in zip(notes, lengths, strict=True)]
    expected = np.concatenate([plain_reading(*pair) for pair in zip(paths, samples, strict=True)])
    index = torch.arange(len(paths)).repeat_interleave(torch.tensor([len(part) for part in samples]))
    shuffled = torch.randperm(len(index), generator=torch.Generator().manual_seed(0))
    targets = recordings.targets(index[shuffled], torch.from_numpy(np.concatenate(samples))[shuffled])
    assert targets.dtype == torch.float32
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(targets.numpy(), expected[shuffled.numpy()])


@pytest.mark.parametrize("n_notes", [1, 40, 400])
def test_targets_of_made_labels(tmp_path, n_notes):
    lengths = [1000, 50, 3000]
    paths = [tmp_path / f"{i}.csv" for i in range(len(lengths))]
    for seed, (path, n_samples) in enumerate(zip(paths, lengths, strict=True)):
        write_random_labels(path, n_samples, n_notes, seed)
    assert_targets_as_read(paths, lengths)


@pytest.mark.skipif(not (SHARED / "musicnet-labels").is_dir(), reason="genuine labels are not at hand")
def test_targets_of_genuine_labels():
    paths = sorted((SHARED / "musicnet-labels" / "test_labels").glob("*.csv"))
    assert len(paths) == 10
    with_end = [1 + max(int(row["end_time"]) for row in csv.DictReader(path.open())) for path in paths]
    assert_targets_as_read(paths, with_end)


def sounding_at(notes: list[tuple[int, int, int]], n_samples: int) -> list[list[int]]:
    """The notes at each sample of one recording."""
    recordings = Recordings([silent("x", np.array(notes, np.int64).reshape(-1, 3), n_samples)])
    targets = recordings.targets(0, torch.arange(n_samples))
    return [target.nonzero().ravel().tolist() for target in targets]


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ([], [[], [], [], []]),
        ([(0, 4, 60)], [[60], [60], [60], [60]]),
        ([(1, 2, 60)], [[], [60], [], []]),
        ([(0, 2, 60), (2, 4, 60)], [[60], [60], [60], [60]]),  # repeated
        ([(0, 4, 60), (1, 2, 60)], [[60], [60], [60], [60]]),  # one within the other
        ([(0, 3, 60), (1, 4, 60)], [[60], [60], [60], [60]]),
        ([(1, 3, 60), (1, 2, 60)], [[], [60], [60], []]),  # the same start
        ([(1, 3, 60), (1, 3, 60)], [[], [60], [60], []]),  # twice the same
        ([(3, 4, 0), (0, 2, 127)], [[127], [127], [], [0]]),  # not in order
    ],
)
def test_notes_of_equal_pitch_may_overlap(notes, expected):
    assert sounding_at(notes, 4) == expected


def test_a_note_ends_with_its_recording():
    ringing, quiet = np.array([[0, 10, 60]]), np.array([[5, 6, 72]])
    recordings = Recordings([silent("a", ringing, 10), silent("b", quiet, 10), silent("c", ringing, 10)])
    sounding = recordings.targets(torch.tensor([0, 1, 1, 1, 2]), torch.tensor([9, 0, 5, 9, 0]))
    assert [row.nonzero().ravel().tolist() for row in sounding] == [[60], [], [72], [], [60]]


def test_note_share_is_the_mean_target_of_each_recording_averaged(tmp_path):
    lengths = [1000, 50, 3000]
    parts = []
    for seed, n_samples in enumerate(lengths):
        path = tmp_path / f"{seed}.csv"
        write_random_labels(path, n_samples, 20, seed)
        parts.append((path, read_labels(path, n_samples), n_samples))
    recordings = Recordings([silent(path.stem, notes, n_samples) for path, notes, n_samples in parts])
    expected = [plain_reading(path, np.arange(n_samples)).mean(axis=0, dtype=float) for path, _, n_samples in parts]
    share = recordings.sounding.share
    assert share.dtype == torch.float64 and share.shape == (128,)
    np.testing.assert_allclose(share.numpy(), np.mean(expected, axis=0), atol=1e-12)


def test_note_share_of_more_segments_than_one_part_holds():
    n_samples = 2**17 + 2  # each sample a segment: 60 sounds at even ones, 61 at odd ones
    start = np.arange(n_samples)
    share = Recordings([silent("x", np.stack([start, start + 1, 60 + start % 2], axis=1), n_samples)]).sounding.share
    assert share[60].item() == pytest.approx(0.5) and share[61].item() == pytest.approx(0.5)
    assert share.sum().item() == pytest.approx(1.0)
