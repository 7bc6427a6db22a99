"""A row's own sample rate: its windows are slices of each file as soxr resamples it, its targets those of every row."""

from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from configs import make_config
from conftest import DEVICES
from own_recordings import HEADER, write
from rich.console import Console
from test_audio import sine

from sweep.config import Data
from sweep.data.covering import by_windows, covered
from sweep.data.recording import DataError
from sweep.data.recordings import Recordings
from sweep.data.windows import training_windows
from sweep.representations.clock import at_rate
from sweep.training.loading import Loaded, UnreadableError, describe, load
from sweep.transcribe.listening import opened

RATES = [16_000, 22_050, 48_000]
LENGTH = 4001  # samples at 44.1 kHz in a window; at 16 kHz 1,451.6


def rounded(samples: int, rate: int) -> int:
    """Half up, in rational numbers."""
    return floor(Fraction(int(samples) * rate, 44_100) + Fraction(1, 2))


@pytest.mark.parametrize("rate", [1000, 44_100, *RATES, 384_000])
def test_places_are_rounded_half_up(rate):
    places = [*range(-300, 300), 10**10, 10**10 + 1]
    expected = [rounded(place, rate) for place in places]
    assert [at_rate(place, rate) for place in places] == expected
    assert at_rate(torch.tensor(places), rate).tolist() == at_rate(np.array(places), rate).tolist() == expected


def labels(n: int, step: int) -> str:
    """A note in every other stretch of `step` samples."""
    return HEADER + "".join(
        f"{start},{start + step},{60 + start // step % 9}\n" for start in range(0, n - step, 2 * step)
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Loud recordings of several rates, channels and kinds; each ends in full swing, so its neighbours would tell."""
    root = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for name, rate, channels in (("a.wav", 44100, 1), ("b.flac", 48000, 2), ("c.wav", 16000, 1), ("d.ogg", 22050, 1)):
        noise = rng.uniform(-0.9, 0.9, (round(0.31 * rate) + 7, channels))
        write(root / "train" / name, noise, rate, labels(len(noise), rate // 50))
    write(root / "test/e.wav", rng.uniform(-0.9, 0.9, 150_001), 44100, labels(150_001, 3000))
    return root


def data_of(root: Path, **keys) -> Data:
    options = {"source": "folder", "root": str(root), "name": root.name, "validation": 0, "cache": None} | keys
    config = make_config(f"data={options['source']}", f"data.root={root}", "representation=mel-512-128").data
    return Data.from_tree(config.record() | options)


def loaded_at(root: Path, rate: int, device: str = "cpu", **keys) -> Loaded:
    return load(data_of(root, **keys), rate, torch.device(device), Console(quiet=True))


def resampled(path: Path, rate: int) -> np.ndarray:
    """The file as mono float32, from its own rate to another by soxr."""
    audio, own = soundfile.read(path, dtype="float32", always_2d=True)
    audio = audio.mean(1)
    return audio if own == rate else soxr.resample(audio, own, rate, quality="VHQ")


def sliced(path: Path, starts: list[int], length: int, rate: int) -> np.ndarray:
    """Windows of a file with silence before and after it, by their starts in the reference clock."""
    audio, size = resampled(path, rate), rounded(length, rate)
    padded = np.pad(audio, (size, 2 * size))
    return np.stack([padded[size + rounded(start, rate) :][:size] for start in starts])


def test_at_the_reference_rate_windows_and_targets_are_slices_of_the_files(root):
    train = loaded_at(root, 44_100).train
    audio, target = training_windows(train, batch_size=64, length=LENGTH, seed=0, step=3)
    recording, start = (part.tolist() for part in train.draw(64, LENGTH, np.random.default_rng([3, 0])))
    for index in range(64):
        path = train.paths[recording[index]]
        np.testing.assert_array_equal(audio[index : index + 1].numpy(), sliced(path, [start[index]], LENGTH, 44_100))
        rate = soundfile.info(path).samplerate
        rows = np.loadtxt(path.with_suffix(".csv"), delimiter=",", skiprows=1, dtype=int)
        ends = (2 * rows[:, :2] * 44_100 + rate) // (2 * rate)  # the labels count the file's own samples
        centre = start[index] + LENGTH // 2
        expected = set(rows[(ends[:, 0] <= centre) & (centre < ends[:, 1]), 2].tolist())
        assert set(target[index].nonzero().ravel().tolist()) == expected


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rate", RATES)
def test_at_another_rate_windows_are_slices_of_the_resampled_files(rate, device, root):
    """The last window of each recording too, and of the last: no neighbour is heard, and nothing is out of bounds."""
    train = loaded_at(root, rate, device).train
    assert train.sample_rate == rate and len(train) == 4
    for index, path in enumerate(train.paths):
        last = int(train.lengths[index]) - LENGTH
        starts = [0, 1, 2, 997, last - 1, last]
        windows = train.audio(index, torch.tensor(starts), LENGTH).cpu().numpy()
        np.testing.assert_array_equal(windows, sliced(path, starts, LENGTH, rate), strict=True)
    recording, start = torch.tensor([3, 0, 2, 1]), torch.tensor([5, 6, 7, 8])
    expected = [
        sliced(train.paths[r], [s], LENGTH, rate)[0] for r, s in zip(recording.tolist(), start.tolist(), strict=True)
    ]
    for where in ("cpu", device):
        together = train.audio(recording.to(where), start.to(where), LENGTH).cpu().numpy()
        np.testing.assert_array_equal(together, np.stack(expected))


@pytest.mark.parametrize("rate", RATES)
def test_lengths_draws_and_targets_are_those_of_the_reference_rate(rate, root):
    parts = [loaded_at(root, each).train for each in (44_100, rate)]
    reference, other = parts
    assert torch.equal(reference.lengths, other.lengths) and torch.equal(reference.sounding.share, other.sounding.share)
    (one, target), (two, as_well) = (
        training_windows(part, batch_size=200, length=LENGTH, seed=1, step=2) for part in parts
    )
    assert torch.equal(target, as_well) and target.any()
    assert one.shape == (200, LENGTH) and two.shape == (200, rounded(LENGTH, rate))
    assert reference.sounding is other.sounding  # labels are on the device once


def test_a_window_as_long_as_a_recording_fits_at_any_rate(root):
    for rate in (1000, 15_999, 16_000, 44_099, 44_101, 384_000):
        train = loaded_at(root, rate).train
        shortest = int(train.lengths.min())
        for index in range(len(train)):
            last = torch.tensor([int(train.lengths[index]) - shortest])
            assert train.audio(index, last, shortest).shape == (1, rounded(shortest, rate))


def test_files_of_the_rows_rate_stay_as_they_are(tmp_path):
    for split in ("train", "test"):
        write(tmp_path / split / f"{split}.wav", np.random.default_rng(len(split)).uniform(-1, 1, 40_000), 16_000)
    train = loaded_at(tmp_path, 16_000).train
    assert train.samples.dtype == torch.int16
    stored, _ = soundfile.read(tmp_path / "train/train.wav", dtype="int16")
    np.testing.assert_array_equal(train.samples[:40_000].numpy(), stored)


@pytest.mark.parametrize("own", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("rate", [16_000, 22_050])
@pytest.mark.parametrize(("length", "step"), [(16_384, 512), (4001, 7001), (1000, 300_000)])
def test_a_recording_is_listened_to_as_its_file_is(tmp_path, own, rate, length, step):
    """By scoring from memory, and by `sweep transcribe` block by block: window n starts at n step - length // 2."""
    path = write(tmp_path / "train/a.wav", np.random.default_rng(0).uniform(-0.9, 0.9, 19 * own + 77), own)
    write(tmp_path / "test/b.wav", sine(44100, 2.0))
    train = loaded_at(tmp_path, rate).train
    covering = by_windows(length, step, rate)
    audio, starts = covered(train, 0, covering)
    size = rounded(length, rate)
    windows = audio.unfold(0, size, 1)[starts].numpy()
    assert len(windows) == 1 + int(train.lengths[0]) // step
    wanted = [n * step - length // 2 for n in range(len(windows))]
    np.testing.assert_array_equal(windows, sliced(path, wanted, length, rate))
    with opened(path) as sound:
        parts = [piece.unfold(0, size, 1)[starts] for piece, starts, _ in sound.clips(covering)]
    np.testing.assert_array_equal(torch.cat(parts).numpy(), windows)


def test_musicnet_refuses_another_rate_than_its_labels_count_and_resamples_to_a_rows(small_set, tmp_path):
    train = loaded_at(small_set, 16_000, source="musicnet").train
    window = train.audio(1, torch.tensor([1001]), LENGTH).numpy()
    np.testing.assert_array_equal(window, sliced(train.paths[1], [1001], LENGTH, 16_000))
    for split in ("train", "test"):
        for kind in ("data", "labels"):
            (tmp_path / f"{split}_{kind}").mkdir()
        soundfile.write(tmp_path / f"{split}_data/{len(split)}.wav", sine(16_000, 3.0) * len(split) / 9, 16_000)
        (tmp_path / f"{split}_labels/{len(split)}.csv").write_text(HEADER)
    with pytest.raises(UnreadableError, match="16000 Hz, not 44100 Hz"):
        loaded_at(tmp_path, 16_000, source="musicnet")


def test_audio_is_loaded_once_for_each_rate_and_only_for_rates_that_runs_need(small_set, monkeypatch):
    held = []
    hold = Recordings._hold
    monkeypatch.setattr(
        Recordings, "_hold", lambda self, audio, rate, *rest: (held.append(rate), hold(self, audio, rate, *rest))
    )
    options = {"source": "musicnet", "fingerprint": "once"}
    first = loaded_at(small_set, 16_000, **options)
    for rate in (22_050, 16_000, 22_050):
        loaded_at(small_set, rate, **options)
    assert held == [16_000] * 2 + [22_050] * 2  # train and test
    assert loaded_at(small_set, 16_000, **options) is first


def test_a_description_counts_the_time_and_names_the_rate(small_set):
    """3 recordings of 4 s."""
    said = [describe(loaded_at(small_set, rate, source="musicnet").train) for rate in (44_100, 16_000)]
    assert said[0] == "3 recordings, 0.2 min, int16 on cpu, 1 MiB"
    assert said[1] == "3 recordings, 0.2 min at 16,000 Hz, float32 on cpu, 1 MiB"


def test_audio_that_has_changed_under_a_sweep_is_an_error(tmp_path):
    for name in ("train/a.wav", "test/b.wav"):
        write(tmp_path / name, np.random.default_rng(len(name)).uniform(-1, 1, 50_000), 44100)
    loaded_at(tmp_path, 44_100)
    write(tmp_path / "train/a.wav", np.random.default_rng(0).uniform(-1, 1, 49_000), 44100)
    with pytest.raises(DataError, match=r"train/a\.wav: has changed since its labels were read"):
        loaded_at(tmp_path, 16_000)
    (tmp_path / "train/a.wav").unlink()
    with pytest.raises(UnreadableError, match=r"train/a\.wav: no such file"):
        loaded_at(tmp_path, 22_050)


@pytest.mark.parametrize("rate", [0, -16_000, 999, 384_001, 2**30, 16_000.5, "fast", None, True])
def test_a_rate_out_of_the_world_is_said_in_a_line(rate):
    with pytest.raises(ValueError) as caught:
        make_config("representation=mel-2048-128", f"representation.sample_rate={'null' if rate is None else rate}")
    said = str(caught.value)
    assert said.startswith("conf/representation/mel-2048-128.yaml: sample_rate ") and "needs a " in said
    assert "\n" not in said
