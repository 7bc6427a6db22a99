"""Filters of any taps: the sum that they are, another front-end's bank, training, and a family of rows of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from configs import run_alone, short_config
from conftest import DEVICES
from definition import frames, relative_l2

from sweep import CQT, FilterBank, filters
from sweep.fields import whole
from sweep.registry import families, family
from sweep.representations import from_tree
from sweep.representations.filtered import Filtered
from sweep.results.evidence import read_evidence

RNG = np.random.default_rng(0)
LENGTHS = (700, 33, 512, 1, 40, 8)  # in no order
TAPS = [RNG.standard_normal(n) + 1j * RNG.standard_normal(n) for n in LENGTHS]
FIRST = np.array([-699, 5, -256, 0, -60, 900])  # causal, ahead, centred, one sample, behind, far ahead
CENTRES = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0]


def summed(x: np.ndarray, pad_mode: str) -> np.ndarray:
    """The sums as they are defined, (clips, bins, frames)."""
    framed = (frames(x, first + np.arange(len(taps)), 128, pad_mode) for first, taps in zip(FIRST, TAPS, strict=True))
    return np.stack([some @ taps for some, taps in zip(framed, TAPS, strict=True)], axis=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pad_mode", filters.PAD_MODES)
@pytest.mark.parametrize("output", ["magnitude", "power", "complex"])
def test_a_bin_is_the_sum_of_its_taps_times_the_samples(pad_mode, output, device):
    x = np.random.default_rng(1).standard_normal((2, 2000))
    how = {"hop_length": 128, "pad_mode": pad_mode, "output": output, "accuracy": "exact"}
    bank = FilterBank(frequencies=CENTRES, taps=TAPS, first_lags=FIRST, **how).to(device)
    expected = summed(x, pad_mode)
    expected = {"magnitude": np.abs(expected), "power": np.abs(expected) ** 2, "complex": expected}[output]
    assert relative_l2(bank(torch.from_numpy(x).float().to(device)), expected) < 3e-6  # 1.3e-6 measured, of the power
    assert bank(torch.from_numpy(x).to(device)).dtype == (torch.complex128 if output == "complex" else torch.float64)
    assert (bank.n_bins, bank.context, bank.hop_length) == (6, 700, 128)
    assert bank.frequencies.tolist() == CENTRES and "direct" in bank.engine_on(device)


def test_the_constant_q_bank_by_its_taps_is_the_constant_q_transform(music):
    centres = filters.constant_q_frequencies(24, 12, 220.0, 44100)
    kernels = filters.constant_q_kernels("hann", centres, 12, 44100, "sqrt_length", "next_bin")
    lags = [np.arange(first, last + 1) for first, last in zip(kernels.first_lags, kernels.last_lags, strict=True)]
    taps = [kernels.taps(k, some) for k, some in enumerate(lags)]
    bank = FilterBank(frequencies=centres, taps=taps, first_lags=kernels.first_lags, accuracy="exact")
    expected = CQT(f_min=220.0, n_bins=24, accuracy="exact")(music)
    assert relative_l2(bank(music), expected.numpy()) < 1e-5


def test_without_lags_the_middle_tap_is_at_a_frames_centre():
    x = torch.zeros(1024)
    x[512] = 1.0
    odd, even = FilterBank(frequencies=[1.0, 1.0], taps=[np.arange(5.0), np.arange(4.0)], output="complex")(x)[:, 1]
    assert (odd.item(), even.item()) == (2, 2)  # the third tap of both


def test_the_taps_are_trained():
    bank = FilterBank(frequencies=CENTRES, taps=TAPS, first_lags=FIRST, hop_length=128, trainable=True)
    assert sum(p.numel() for p in bank.parameters()) >= 2 * sum(LENGTHS)
    bank(torch.randn(1, 2000, generator=torch.Generator().manual_seed(0))).sum().backward()
    assert all(torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in bank.parameters())
    first, taps = bank.kernel(2)
    assert np.allclose(taps[-256 - first :][:512], TAPS[2], atol=1e-6)
    assert not list(bank.frozen().parameters())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frequencies": [1.0]}, "filter bank of 1 frequencies, 2 taps and 2 first_lags: needs equally many"),
        ({"first_lags": [0]}, "filter bank of 2 frequencies, 2 taps and 1 first_lags: needs equally many"),
        ({"frequencies": [], "taps": []}, "filter bank of 0 frequencies, 0 taps and 0 first_lags: needs equally many"),
        ({"taps": [np.ones(3), np.ones((2, 2))]}, r"taps of bin 1, shape \(2, 2\): needs \(lags,\) finite numbers"),
        ({"taps": [np.ones(3), np.array([np.nan])]}, r"taps of bin 1, shape \(1,\): needs \(lags,\) finite numbers"),
        ({"taps": [np.ones(0), np.ones(3)]}, r"taps of bin 0, shape \(0,\): needs \(lags,\) finite numbers"),
        ({"frequencies": [1.0, np.inf]}, "frequencies .*: needs finite numbers, in Hz"),
        ({"first_lags": [0, 0.5]}, "first_lags .*: needs whole numbers, in samples"),
        ({"hop_length": 0}, "hop_length 0: needs a whole number of at least 1"),
        ({"engine": "spectral"}, "engine 'spectral': choose one of auto, direct"),
    ],
)
def test_a_bank_that_does_not_fit_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        FilterBank(**{"frequencies": [1.0, 2.0], "taps": [np.ones(3), np.ones(2)]} | changes)


TREE = {"name": "causal", "family": "causal", "sample_rate": 44100, "hop_length": 512, "window": "hann"}
TREE |= {"pad_mode": "constant", "framing": "centred", "parts": None, "join": "channels"}
TREE |= {"level": {"name": "file"}, "compression": {"name": "log", "offset": 1e-5}}
TREE |= {"normalisation": {"name": "none"}, "stack": {"name": "none"}}


@pytest.fixture
def causal():
    """A registered family of decaying tones, whose keys are a plain default and a field with a check."""

    @family("causal")
    class Causal(Filtered):
        """Decaying tones of a constant ratio."""

        ROWS = {"causal-12": {"tones": 12, "pad_mode": "reflect"}}

        tones: int = whole(default=6)
        """Number of tones."""
        lowest: float = 440.0
        """Lowest in Hz."""

        def bank(self):
            centres = self.lowest * 2 ** (np.arange(self.tones) / 6)
            t = np.arange(1000)
            taps = [(np.exp(-t / 200 - 2j * np.pi * f / self.sample_rate * t))[::-1] for f in centres]
            return centres, taps, np.full(self.tones, -999)

    yield Causal
    del families._classes["causal"]


def test_a_family_of_a_few_lines_has_rows_keys_and_a_definition(causal, music):
    for changes in ({}, {"pad_mode": "reflect"}, {"framing": "from_start"}, {"power": 2, "tones": 3}):
        row = from_tree(TREE | changes)
        assert (row.bins, row.context, row.reach) == (changes.get("tones", 6), 1000, 999)
        seen = row.front_end(music.shape[1], accuracy="exact").spectrogram(music)[:, 0]
        expected = row.definition(music.numpy())
        assert seen.shape == expected.shape == (len(music), row.bins, row.n_frames(music.shape[1]))
        assert relative_l2(seen, expected) < 1e-6
    # The definition itself, against the sum written out elsewhere.
    x = music.double().numpy()
    taps = np.exp(-np.arange(1000) * (1 / 200 + 2j * np.pi * 440 / 44100))[::-1]
    by_hand = np.abs(frames(x, np.arange(-999, 1), 512, "constant") @ taps)
    assert relative_l2(from_tree(TREE).definition(x)[:, 0], by_hand) < 1e-12
    with pytest.raises(ValueError, match=r"tones 0: needs a whole number of at least 1"):
        from_tree(TREE | {"tones": 0})
    with pytest.raises(ValueError, match=r"lowest 'a': needs a value of type float"):
        from_tree(TREE | {"lowest": "a"})


def test_a_trained_family_keeps_what_it_learned(causal, tmp_path, small_set):
    config = short_config(small_set, tmp_path, "mel-512-128", protocol__steps=4)
    row = from_tree({**TREE, "level": {"name": "window", "offset": 1e-7}})
    frontend = replace(config.frontend, trainable=True)
    config = replace(config, representation=row, frontend=frontend, code={"family": families.code("causal")})
    result = run_alone(config)
    kept = read_evidence(config.folder)
    assert result.moved["kernels"] > 0 and kept["kernels_moved"].shape == (6,)
    assert kept["kernel_frequencies"].tolist() == [row.frequencies[bin] for bin in kept["kernel_bins"]]
