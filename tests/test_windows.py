"""Windows: where they start, what they hold, and that they depend on nothing else than they should."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from test_listening import cut_out

from sweep.data.covering import by_windows, covered
from sweep.data.recording import DataError, Recording
from sweep.data.recordings import Recordings
from sweep.data.windows import scoring_windows, split_validation, step_generator, training_windows
from sweep.transcribe.listening import opened

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
NO_NOTES = np.empty((0, 3), np.int64)


def recording_of(audio: np.ndarray, notes: np.ndarray = NO_NOTES, name: str = "x") -> Recording:
    return Recording(name, audio, 44100, notes, Path("train_data") / f"{name}.wav")


def counting(*lengths: int, device: str = "cpu") -> Recordings:
    """Recordings r = 0, 1, ... whose sample t is 1000 r + t, and note t sounds at sample t of the first 128."""
    t = np.arange(128)
    notes = np.stack([t, t + 1, t], axis=1)
    parts = [recording_of(np.arange(n, dtype=np.int16) + 1000 * r, notes[:n], str(r)) for r, n in enumerate(lengths)]
    return Recordings(parts, device=device)


# Audio


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kinds", [("int16", "int16"), ("float32", "float32"), ("int16", "float32")])
def test_windows_are_slices_of_the_recordings_at_full_scale_1(kinds, device):
    noise = np.random.default_rng(0).integers(-32768, 32768, (2, 1000))
    to = {"int16": lambda part: part.astype(np.int16), "float32": lambda part: (part / 2**19).astype(np.float32)}
    audio = [to[kind](part) for kind, part in zip(kinds, noise, strict=True)]
    recordings = Recordings([recording_of(part) for part in audio], device=device)
    assert recordings.samples.dtype == (torch.int16 if kinds == ("int16", "int16") else torch.float32)
    full_scale_1 = [part / 32768 if part.dtype == np.int16 else part for part in audio]
    recording, start = [0, 1, 1, 0], [0, 0, 900, 900]
    expected = np.stack([full_scale_1[r][s : s + 100] for r, s in zip(recording, start, strict=True)])
    windows = recordings.audio(torch.tensor(recording, device=device), torch.tensor(start, device=device), 100)
    assert windows.dtype == torch.float32 and windows.device.type == device
    np.testing.assert_array_equal(windows.cpu().numpy(), expected)
    one = recordings.audio(1, torch.tensor([0, 900], device=device), 100)
    np.testing.assert_array_equal(one.cpu().numpy(), expected[[1, 2]])


@pytest.mark.parametrize("device", DEVICES)
def test_a_window_beyond_all_audio_is_an_error_where_there_can_be_one(device):
    recordings = Recordings([recording_of(np.arange(1, 101, dtype=np.int16))], device=device)
    if device == "cpu":
        with pytest.raises(IndexError):
            recordings.audio(0, torch.tensor([60]), 50)
    else:
        window = recordings.audio(0, torch.tensor([60], device=device), 50)[0].cpu()
        assert torch.equal(window[:40], torch.arange(61, 101) / 32768) and not window[40:].any()


def test_reading_windows_leaves_the_recordings_as_they_were():
    for audio in (np.arange(100, dtype=np.int16), np.arange(100, dtype=np.float32)):
        recordings = Recordings([recording_of(audio)])
        recordings.audio(0, torch.arange(50), 50).zero_()
        np.testing.assert_array_equal(recordings.samples.numpy(), np.arange(100))


# Training windows


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("length", [10, 11])
def test_the_target_is_that_of_the_centre_sample(length, device):
    audio, target = training_windows(counting(100, 90, device=device), batch_size=200, length=length, seed=0, step=0)
    assert audio.shape == (200, length) and target.shape == (200, 128)
    assert audio.dtype == target.dtype == torch.float32
    first = (audio[:, 0] * 32768).long() % 1000
    assert (target.sum(1) == 1).all() and torch.equal(target.argmax(1), first + length // 2)


def test_windows_depend_on_seed_and_step_only():
    def windows(seed, step, recordings):
        return torch.cat(training_windows(recordings, batch_size=8, length=10, seed=seed, step=step), dim=1)

    recordings = counting(500, 700)
    in_order = [windows(3, step, recordings) for step in range(5)]
    torch.rand(7), np.random.rand(7)
    resumed = [windows(3, step, counting(500, 700)) for step in (4, 2, 0)]
    for again, step in zip(resumed, (4, 2, 0), strict=True):
        assert torch.equal(again, in_order[step])
    others = in_order + [windows(seed, step, recordings) for seed in (0, 1, 2, 4, 2**32 + 3) for step in range(5)]
    assert all(not torch.equal(a, b) for i, a in enumerate(others) for b in others[:i])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_windows_are_the_same_on_the_gpu():
    on_cpu, on_gpu = (
        training_windows(counting(500, 700, device=device), batch_size=64, length=10, seed=3, step=5)
        for device in ("cpu", "cuda")
    )
    assert all(torch.equal(a, b.cpu()) for a, b in zip(on_cpu, on_gpu, strict=True))


def test_recordings_are_drawn_uniformly_and_starts_among_all_that_fit():
    recordings = counting(103, 14, 100)
    n = 200_000
    recording, start = recordings.draw(n, 10, step_generator(0, 0))
    assert recording.dtype == start.dtype == torch.int64
    for r, n_starts in enumerate([94, 5, 91]):  # length of the recording - 10 + 1
        starts = start[recording == r]
        assert abs(len(starts) - n / 3) < 5 * (n * 2 / 9) ** 0.5  # five standard deviations of a binomial count
        counts = torch.bincount(starts, minlength=n_starts)
        assert len(counts) == n_starts  # none later than the last that fits, and below: every one is reached
        mean = len(starts) / n_starts
        assert (counts - mean).abs().max() < 5 * mean**0.5


def test_steps_are_independent_of_each_other():
    recordings = counting(1009)
    start = torch.stack([recordings.draw(1, 10, step_generator(0, step))[1][0] for step in range(4000)]).double()
    assert abs(start.mean() / 999 - 0.5) < 5 * (1 / 12 / 4000) ** 0.5
    assert abs(torch.corrcoef(torch.stack([start[1:], start[:-1]]))[0, 1]) < 5 / 4000**0.5


def test_a_window_as_long_as_the_recording_fits():
    audio, _ = training_windows(counting(128), batch_size=3, length=128, seed=0, step=0)
    assert torch.equal(audio * 32768, torch.arange(128.0).expand(3, 128))


def test_a_recording_shorter_than_the_window_is_named():
    with pytest.raises(DataError, match=r"^train_data.1\.wav: 127 samples, shorter than a window of 128: [^\n]+$"):
        training_windows(counting(200, 127, 128), batch_size=3, length=128, seed=0, step=0)


def test_no_recordings_is_an_error():
    with pytest.raises(DataError, match="at least one"):
        Recordings([])


# Scoring windows


def silence(n_samples: int, device: str = "cpu") -> Recordings:
    """The silence is the second recording."""
    return Recordings([recording_of(np.zeros(n, np.int16), name=str(n)) for n in (9, n_samples)], device=device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("n_samples", [4_084_836, 44_100 + 4 * 16_384 + 7_499, 44_100 + 4 * 16_384 + 2 * 7_499 - 1])
def test_scoring_windows_are_the_papers(n_samples, device):
    stride = int((n_samples - 44_100 - 4 * 16_384) / 7_499)
    expected = [44_100 + k * stride for k in range(7_500)]
    starts = scoring_windows(silence(n_samples, device), 1, length=16_384, count=7_500)
    assert starts.dtype == torch.int64 and starts.device.type == device
    assert starts.tolist() == expected
    assert expected[-1] + 16_384 <= n_samples


@pytest.mark.parametrize(
    ("spare", "count", "expected"),
    [(0, 7_500, [0]), (0, 1, [0]), (2, 7_500, [0, 1, 2]), (2, 3, [0, 1, 2]), (9, 3, [0, 4, 8]), (9, 1, [0])],
)
def test_a_short_recording_gives_fewer_scoring_windows(spare, count, expected):
    starts = scoring_windows(silence(44_100 + 4 * 1000 + spare), 1, length=1000, count=count)
    assert (starts - 44_100).tolist() == expected


def test_a_recording_too_short_to_be_scored_is_named():
    words = r"^train_data.48099\.wav: 48099 samples, scoring windows of 1000 needs at least 48100: [^\n]+$"
    with pytest.raises(DataError, match=words):
        scoring_windows(silence(48_099), 1, length=1000, count=10)


@pytest.mark.parametrize("samples", [1, 511, 512, 8192, 16_384, 16_385, 40_000])
@pytest.mark.parametrize(("length", "step"), [(16_384, 512), (16_384, 30_000), (1001, 7)])
def test_listening_windows_are_those_of_transcribe_cut_from_the_recording_alone(samples, length, step, tmp_path):
    """Of the second of three recordings, whose neighbours are loud."""
    noise = np.random.default_rng(0).integers(1, 9, samples).astype(np.int16)
    soundfile.write(tmp_path / "x.wav", noise, 44_100)
    loud = np.full(20_000, 30_000, np.int16)
    parts = [recording_of(audio) for audio in (loud, noise, loud)]
    with opened(tmp_path / "x.wav") as sound:
        expected = cut_out(sound, length, step)
    audio, starts = covered(Recordings(parts), 1, by_windows(length, step, 44_100))
    np.testing.assert_array_equal(audio.unfold(0, length, 1)[starts], expected)


def test_no_scoring_windows_is_an_error():
    with pytest.raises(DataError, match="protocol.scored_windows is 0"):
        scoring_windows(silence(100_000), 1, length=1000, count=0)


# Validation


@pytest.mark.parametrize("n", [2, 3, 10, 320])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.8, 0.999])
def test_validation_holds_out_its_share_and_nothing_is_lost(n, share):
    train, validation = split_validation(list(range(n)), share)
    assert sorted(train + validation) == list(range(n))
    assert train == sorted(train) and validation == sorted(validation)
    assert len(validation) == (0 if share == 0 else min(max(round(share * n), 1), n - 1))
    assert split_validation(list(range(n)), share) == (train, validation)


def test_validation_recordings_are_evenly_spaced():
    _, validation = split_validation(list(range(320)), 0.1)
    assert validation == list(range(5, 320, 10))


@pytest.mark.parametrize("share", [-0.1, 1.0, 20, float("nan")])
def test_a_share_outside_0_to_1_is_an_error(share):
    with pytest.raises(DataError, match=f"^data.validation is {share}: "):
        split_validation(list(range(10)), share)


def test_one_recording_cannot_be_shared():
    with pytest.raises(DataError, match="data.validation is 0.1, but there is only 1 recording"):
        split_validation([0], 0.1)
