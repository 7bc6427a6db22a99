"""Clips that cover a recording of any length: each frame is estimated once, at its time, away from the clip's ends."""

import itertools
import tracemalloc
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from configs import make_config
from torch import nn

from sweep.data.covering import Covering, by_segments, by_windows, covered
from sweep.data.recording import Recording
from sweep.data.recordings import Recordings
from sweep.data.targets import Labels
from sweep.representations import framing
from sweep.representations.clock import at_rate
from sweep.training.hearing import hear, hear_at
from sweep.training.model import Features, Segmental
from sweep.training.transcriber import Transcriber
from sweep.transcribe.listening import Sound, opened

RATES = (16_000, 22_050, 44_100)
EDGES = (0.0, 0.1, 0.125, 0.3, 0.49)
PROTOCOL = make_config("protocol=paper").protocol


def segments(rate: int, name: str, hop: int, frame: int, window: int, edge: float) -> tuple[Covering, np.ndarray]:
    """A covering by segments of some samples at 44,100 Hz, and the places of a segment's frames in samples."""
    length = at_rate(window, rate)
    times = framing.times(name, length, hop, frame, rate)
    return by_segments(times, length, rate, edge), np.rint(times * rate).astype(int)


def frames_of(samples: int, hop: int, rate: int) -> int:
    """The frames n hop / rate that are not after the recording's end, one by one."""
    return next(n for n in itertools.count() if Fraction((n + 1) * hop, rate) > Fraction(samples, 44_100)) + 1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", framing.FRAMINGS)
@pytest.mark.parametrize("hop", [60, 128, 441])
def test_each_frame_is_taken_once_and_away_from_the_ends(rate, name, hop):
    for frame, window, edge in itertools.product((100, 1000), (4410, 8192), EDGES):
        covering, offsets = segments(rate, name, hop, frame, window, edge)
        length = covering.length
        taken = offsets[covering.kept]
        assert len(taken) == covering.size > 0
        inside = [place for place in offsets if edge * length <= place <= (1 - edge) * length]
        assert taken.tolist() == inside or (not inside and len(taken) == 1)
        for samples in (1, hop, 999, 4410, 44_100, 50_001):
            frames = covering.frames(samples)
            assert frames == frames_of(samples, hop, rate)
            clips = covering.clips(frames)
            places = (covering.starts(range(clips))[:, None] + torch.from_numpy(taken)).flatten()
            assert places.tolist() == [n * hop for n in range(len(places))]
            assert len(places) - covering.size < frames <= len(places)


@pytest.mark.parametrize("rate", RATES)
def test_the_middle_of_a_window_is_its_frame(rate):
    for window, step in itertools.product((1000, 16_384, 1001), (1, 512, 3000)):
        covering = by_windows(window, step, rate)
        assert covering.size == 1 and covering.length == at_rate(window, rate)
        starts = covering.starts(range(3, 50)).numpy()
        wanted = [Fraction((n * step - window // 2) * rate, 44_100) for n in range(3, 50)]
        assert all(abs(place - start) <= Fraction(1, 2) for place, start in zip(wanted, starts.tolist(), strict=True))
        assert covering.frames(44_100) == 1 + 44_100 // step


@pytest.mark.parametrize("times", [[0.5], [0.0, 0.1, 0.3], [0.2, 0.1, 0.0], [0.0, 0.0001], [0.0, 0.01005, 0.0201]])
def test_times_that_are_not_evenly_spaced_by_samples_are_refused_in_a_line(times):
    with pytest.raises(ValueError, match=r"^times of a model's estimates, .*: need to be evenly [^\n]*$"):
        by_segments(np.array(times), 1000, 1000, 0.1)


def test_the_nearest_frame_is_the_nearest():
    for rate, hop in itertools.product(RATES, (128, 512)):
        covering, _ = segments(rate, "centred", hop, 1000, 8192, 0.1)
        samples = np.random.default_rng(0).integers(0, 90_000, 300)
        frames = covering.frames(90_000)
        apart = abs(samples[:, None] / 44_100 - np.arange(frames) * hop / rate)
        found = covering.nearest(samples, frames)
        np.testing.assert_allclose(apart[np.arange(300), found], apart.min(axis=1), atol=1e-12)


# What a model hears of it


class Ears(nn.Module):
    """A front-end that gives the sample on which each frame is centred: (batch, samples) -> (batch, 1, 1, frames)."""

    n_channels = n_bins = 1

    def __init__(self, places: np.ndarray, rate: int):
        super().__init__()
        self.places, self.row = torch.from_numpy(places), SimpleNamespace(sample_rate=rate)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        padded = nn.functional.pad(audio, (0, int(self.places.max()) + 1))
        return padded[:, None, None, self.places]


class Echo(Segmental):
    """A model whose logits of each frame are what the front-end gave, for onsets with the other sign."""

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = features[:, 0].transpose(1, 2).expand(-1, -1, 128)
        return {"frames": logits, "onsets": -logits}


def recordings_of(*lengths: int, rate: int = 44_100) -> Recordings:
    """Recordings of so many samples at 44,100 Hz whose samples tell their own place, none near 0."""
    parts = [
        Recording(str(n), np.zeros(length, np.int16), 44_100, np.empty((0, 3), np.int64), Path(f"{n}.wav"))
        for n, length in enumerate(lengths)
    ]
    held = [telling(-(-length * rate // 44_100)) for length in lengths]
    return Recordings.of(Labels(parts), held, rate)


def telling(samples: int) -> np.ndarray:
    return (1 + np.arange(samples) / 2**16).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", ["centred", "centred_between", "from_start", "whole"])
def test_what_is_heard_in_frame_n_lies_n_hops_after_the_beginning(rate, name):
    window, hop, frame = 4410, 100, 700
    length = at_rate(window, rate)
    features = Features(1, 1, framing.times(name, length, hop, frame, rate), window / 2 / 44_100)
    ears = Ears(np.rint(features.times * rate).astype(int), rate)
    for edge, batch in ((0.01, 1), (0.125, 3), (0.45, 100)):
        protocol = replace(PROTOCOL, window=window, edge=edge, batch_size=batch)
        transcriber = Transcriber(ears, Echo(features), features, protocol)
        lengths = (1, 5000, 9, 4410, 44_101, 99_999)
        store = recordings_of(*lengths, rate=rate)
        for index, samples in enumerate(lengths):
            covering = transcriber.covering(rate)
            whole = hear(transcriber, store, index, covering, spectra=True)
            places = hop * np.arange(frames_of(samples, hop, rate))
            audio = telling(-(-samples * rate // 44_100))
            expected = np.where(places < len(audio), audio[places.clip(max=len(audio) - 1)], 0)
            sure = places < samples * rate // 44_100
            assert whole.spectra.shape == (len(places), 1) and whole.hop_seconds == hop / rate
            np.testing.assert_array_equal(whole.spectra[sure, 0], expected[sure])
            for head, sign in (("frames", 1), ("onsets", -1)):
                logit = torch.from_numpy(sign * expected[sure]).float()
                wanted = logit.sigmoid()[:, None].expand(-1, 128)
                np.testing.assert_allclose(whole.heads[head][sure], wanted, atol=1e-7)  # a sample makes it 3e-6
            instants = torch.arange(0, samples, 77)
            nearest = np.rint(instants.numpy() / 44_100 * rate / hop).astype(int).clip(max=len(places) - 1)
            found, seen = hear_at(transcriber, store, index, instants, whole)
            np.testing.assert_array_equal(found, whole.heads["frames"][nearest])
            np.testing.assert_array_equal(seen, whole.spectra[nearest])


def test_nothing_is_heard_in_clips_of_silence():
    """Nor in noise at -80 dB, whatever the model says of it; a segment that holds more is heard whole."""
    features = Features(1, 1, np.arange(45) * 100 / 44_100, 0.05)
    transcriber = Transcriber(
        Ears(100 * np.arange(45), 44_100), Echo(features), features, replace(PROTOCOL, window=4410)
    )
    noise = np.random.default_rng(0).normal(0, 1e-4, 44_100).astype(np.float32)
    store = recordings_of(88_200)
    store.samples[44_100:] = torch.from_numpy(noise)
    heads = hear(transcriber, store, 0, transcriber.covering(44_100)).heads
    for value in heads.values():
        assert (value[:441] > 0).all() and (value[441 + 45 :] == 0).all()


# What is read from a file, block by block


class Blocks:
    """A stream of given samples in blocks of random sizes."""

    problem, declared = "", None

    def __init__(self, samples: np.ndarray, rate: int, seed: int = 0):
        self.samples, self.rate, self.frames = samples, rate, 0
        self.chance = np.random.default_rng(seed)

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    def blocks(self):
        while self.frames < len(self.samples):
            block = self.samples[self.frames :][: int(self.chance.choice([1, 700, 5000, 40_000]))]
            self.frames += len(block)
            yield block


@pytest.mark.parametrize(("own", "rate"), [(44_100, 44_100), (44_100, 16_000), (16_000, 16_000), (22_050, 44_100)])
def test_the_clips_of_a_file_are_those_of_the_recording(own, rate):
    """Also with an edge of 0, where a segment's last frame is its last sample or the one after it."""
    chance = np.random.default_rng(1)
    coverings = [by_windows(4410, 512, rate), by_windows(1001, 3000, rate)]
    for name, window, hop, edge in (
        ("centred", 4410, 100, 0.125),
        ("centred", 4410, 100, 0.0),  # 1,600 samples at 16,000 Hz, a multiple of the hop
        ("centred", 8192, 512, 0.0),
        ("from_start", 4410, 128, 0.2),
        ("whole", 8192, 441, 0.49),
    ):
        coverings.append(segments(rate, name, hop, 1000, window, edge)[0])
    for samples in [1, 2, 511, 512, 1600, 3200, 4409, 4410, 16_000, 44_100, *chance.integers(1, 70_000, 12).tolist()]:
        audio = chance.uniform(-0.5, 0.5, samples).astype(np.float32)
        heard = np.concatenate(list(Sound(Path("x"), Blocks(audio, own)).blocks(rate)) or [np.empty(0, np.float32)])
        length = int(samples / (own / 44_100) + 0.5)  # as soxr rounds it
        recording = Recording("x", np.zeros(length, np.int16), 44_100, np.empty((0, 3), np.int64), Path("x"))
        store = Recordings.of(Labels([recording]), [heard], rate)
        for covering in coverings:
            expected, starts = covered(store, 0, covering)
            expected = expected.unfold(0, covering.length, 1)[starts]
            clips, frames = [], 0
            for piece, places, count in Sound(Path("x"), Blocks(audio, own, seed=2)).clips(covering):
                assert frames == len(torch.cat(clips)) * covering.size if clips else frames == 0
                clips.append(piece.unfold(0, covering.length, 1)[places])
                frames += count
            np.testing.assert_array_equal(torch.cat(clips), expected)
            assert frames == covering.frames(length) == frames_of(length, covering.hop, covering.clock)


def test_memory_does_not_grow_with_the_file(tmp_path):
    covering, _ = segments(44_100, "centred", 512, 4096, 65_536, 0.125)
    peaks = []
    for seconds in (60, 300):
        path = tmp_path / f"{seconds}.wav"
        soundfile.write(path, np.zeros(seconds * 44_100, np.int16), 44_100)
        tracemalloc.start()
        with opened(path) as sound:
            frames = sum(count for _, _, count in sound.clips(covering))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert frames == 1 + seconds * 44_100 // 512
    assert peaks[1] < 1.05 * peaks[0] < 10e6  # bytes
