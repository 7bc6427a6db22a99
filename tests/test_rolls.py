"""Rolls of the notes that begin and that sound: what a plain loop over the notes says, also at a recording's ends."""

import numpy as np
import pytest
import torch
from configs import make_config
from conftest import DEVICES
from test_targets import silent

from sweep.data.targets import Labels
from sweep.training.building import build_transcriber, prior_logits

LENGTHS = (30_000, 50, 44_100, 9_000)
WIDTHS = (0.05, 0.0123, 1e-6, 3.0)  # s


def notes_of(length: int, seed: int) -> np.ndarray:
    """Few pitches, so that notes overlap and begin close to each other; some at either end, and two at once."""
    chance = np.random.default_rng(seed)
    start = np.r_[0, length - 1, 7, 7, chance.integers(0, length - 1, 30)]
    end = start + 1 + (chance.random(len(start)) * (length - start - 1)).astype(int)
    return np.stack([start, end, chance.choice([0, 60, 61, 127], len(start))], axis=1)


NOTES = [notes_of(length, seed) for seed, length in enumerate(LENGTHS)]


@pytest.fixture(scope="module")
def labels() -> Labels:
    return Labels([silent(str(n), notes, LENGTHS[n]) for n, notes in enumerate(NOTES)])


def plain(notes: np.ndarray, length: int, half: int | None) -> np.ndarray:
    """(samples, 128): note by note; with `half` about its start, otherwise from start to end."""
    roll = np.zeros((length, 128), np.float32)
    for start, end, pitch in notes.tolist():
        first, last = (start, end) if half is None else (max(0, start - half), start + half)
        roll[first:last, pitch] = 1
    return roll


@pytest.mark.parametrize("width", WIDTHS)
def test_a_note_begins_within_half_a_width_of_its_start(labels, width):
    """At all samples of all recordings, of which none knows of another's notes."""
    half = max(1, round(width * 44_100 / 2))
    roll = labels.beginning(width)
    expected = [plain(notes, length, half) for notes, length in zip(NOTES, LENGTHS, strict=True)]
    for index, wanted in enumerate(expected):
        np.testing.assert_array_equal(roll.at(index, torch.arange(len(wanted))), wanted)
    np.testing.assert_allclose(roll.share, np.mean([wanted.mean(0, dtype=float) for wanted in expected], 0), atol=1e-12)
    assert labels.beginning(width) is roll


def test_widths_do_not_mix(labels):
    assert labels.beginning(0.05) is not labels.beginning(0.06)
    assert (labels.beginning(0.06).share >= labels.beginning(0.05).share).all()


@pytest.mark.parametrize("device", DEVICES)
def test_many_times_of_many_recordings_are_looked_up_at_once(device):
    """(batch, times); beyond the end what is at the last sample, and not the next recording's beginning."""
    labels = Labels([silent(str(n), notes, LENGTHS[n]) for n, notes in enumerate(NOTES)], device)
    chance = np.random.default_rng(9)
    index = np.r_[0, 1, 2, 3, chance.integers(0, len(LENGTHS), 20)]
    at = np.array(LENGTHS)[index, None] - 40 + np.r_[0, 20:60, 3000]
    for roll, half in ((labels.sounding, None), (labels.beginning(0.01), 220)):
        expected = [plain(NOTES[i], LENGTHS[i], half) for i in range(len(LENGTHS))]
        wanted = np.stack([expected[i][np.minimum(row, LENGTHS[i] - 1)] for i, row in zip(index, at, strict=True)])
        for where in {"cpu", device}:
            recording = torch.from_numpy(index)[:, None].to(where)
            found = roll.at(recording, torch.from_numpy(at).to(where))
            assert found.shape == (24, 42, 128) and found.device.type == device
            np.testing.assert_array_equal(found.cpu(), wanted)


@pytest.mark.parametrize("row", ["mel-512-128", "mt3"])
def test_a_clips_targets_are_those_of_its_frames(row, labels):
    """Also of a clip that ends with its recording, in which frames may be centred at the end or beyond."""
    config = make_config("model=conv", f"representation={row}", "protocol.window=8192")
    transcriber = build_transcriber(config, None)
    recording = torch.tensor([0, 2, 3, 3])
    start = torch.tensor([LENGTHS[0] - 8192, 1234, 0, LENGTHS[3] - 8192])
    found = transcriber.targets(labels, recording, start)
    times = config.representation.times(config.representation.samples(8192))
    assert found.keys() == {"frames", "onsets"} and len(times) > 10
    for head, half in (("frames", None), ("onsets", round(0.05 * 44_100 / 2))):
        for clip, (i, first) in enumerate(zip(recording.tolist(), start.tolist(), strict=True)):
            at = np.minimum(np.rint(first + times * 44_100).astype(int), LENGTHS[i] - 1)
            np.testing.assert_array_equal(found[head][clip], plain(NOTES[i], LENGTHS[i], half)[at])
    alone = transcriber.targets(labels, 3, start[2:])
    assert all(torch.equal(alone[head], found[head][2:]) for head in found)
    assert found["frames"].any() and found["onsets"].any() and not found["onsets"].all()


def test_each_heads_prior_is_the_logit_of_its_share(labels):
    priors = prior_logits(make_config("model=crnn", "protocol.onset_width=0.0123"), labels)
    for head, half in (("frames", None), ("onsets", round(0.0123 * 44_100 / 2))):
        parts = [plain(notes, length, half).mean(0, dtype=float) for notes, length in zip(NOTES, LENGTHS, strict=True)]
        share = np.mean(parts, axis=0).clip(1e-4, 0.5)
        np.testing.assert_allclose(priors[head], np.log(share / (1 - share)), rtol=1e-5)
