"""The spectrograms that published transcription systems compute, before compression: made by their own code, or written
out here from their description where it was not run.

shared/data/systems holds what each system's code made of four seconds of MusicNet, and says how well a float64 sum of
the same definition agrees: the float32 noise of that code. What is asked for here is a share of each recording's peak,
which that noise keeps to: banks in float32 lie 1e-6 (triangles computed from float32 corners up to 2e-5) off.
"""

import functools

import numpy as np
import pytest
import torch
from conftest import SHARED, recorded_music, synthesised_music
from definition import fft, relative_l2
from numpy.testing import assert_allclose

from sweep import filters
from sweep.transforms import STFT, LogBandSpectrogram, MelSpectrogram

RATE_16 = {"sample_rate": 16000, "n_fft": 2048}
HTK = {"mel_scale": "htk", "norm": None}
MADMOM = {"symmetric": True, "corners": "fft_bins", "norm": "area", "power": 1.0, "pad_mode": "constant"}
RNN = {"hop_length": 441, "f_min": 30.0, "f_max": 17000.0, **MADMOM}

# Centred frames of the input as it is: the front-end and the largest error as a share of the peak.
CENTRED = {
    "onsets_and_frames": (
        MelSpectrogram(**RATE_16, hop_length=512, n_mels=229, f_min=30.0, f_max=8000.0, mel_scale="htk", power=1.0),
        2e-6,
    ),
    "kong_bytedance": (MelSpectrogram(**RATE_16, hop_length=160, n_mels=229, f_min=30.0, f_max=8000.0), 2e-6),
    "hft_transformer": (
        MelSpectrogram(**RATE_16, hop_length=256, n_mels=256, f_max=8000.0, mel_scale="htk", pad_mode="constant"),
        2e-5,
    ),
    "onsets_and_velocities": (
        MelSpectrogram(**RATE_16, hop_length=384, n_mels=229, f_min=50.0, f_max=8000.0, **HTK),
        2e-5,
    ),
    "yourmt3_ymt3plus": (
        MelSpectrogram(**RATE_16, hop_length=128, n_mels=512, f_min=50.0, f_max=8000.0, **HTK),
        2e-5,
    ),
    "yourmt3_yptf": (STFT(**RATE_16, hop_length=300, first_bin=1), 1e-6),
    "diffroll": (MelSpectrogram(**RATE_16, hop_length=512, n_mels=229, **HTK, normalized="window"), 2e-5),
}


def stored(name: str) -> dict[str, np.ndarray]:
    """What a system's code made, by key."""
    path = SHARED / "systems" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(np.load(path))


def values(front_end, clip: np.ndarray, dtype=torch.float64) -> np.ndarray:
    return front_end(torch.from_numpy(clip).to(dtype)).double().numpy()


def check(of_it: dict[str, np.ndarray], made: np.ndarray, share: float) -> None:
    """Compare the frames that are stored: to a share of the peak, and each cell to itself where it is not very weak."""
    expected, actual = of_it["spectrogram"].astype(float), made[..., of_it["stage_frame_index"]]
    assert actual.shape == expected.shape
    error, peak = np.abs(actual - expected), expected.max()
    assert error.max() < share * peak
    strong = expected > 1e-4 * peak
    assert strong.any() and (error[strong] / expected[strong]).max() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", CENTRED)
def test_centred_frames(name, dtype):
    front_end, share = CENTRED[name]
    of_it = stored(name)
    made = values(front_end, of_it["input"], dtype)
    check(of_it, made, share)
    assert made.shape[-1] in (len(of_it["times"]), len(of_it["times"]) + 1)
    assert_allclose(front_end.frequencies, of_it["freqs"], rtol=1e-5)


def test_mt3s_frames_begin_where_ours_are_centred():
    """Its frame j is our frame j + 8 of the clip: 1,024 samples on. Zeros follow the clip."""
    of_it = stored("mt3")
    numbers = {"n_mels": 512, "f_min": 20.0, "f_max": 7600.0, "power": 1.0, "triangles": "mel", "pad_mode": "constant"}
    mel = MelSpectrogram(**RATE_16, hop_length=128, **numbers, **HTK)
    made = values(mel, np.pad(of_it["input"], (0, 2048)))[:, 8:]
    check(of_it, made, 4e-5)
    assert_allclose(mel.frequencies, of_it["freqs"], rtol=1e-4)  # 1127 ln is not quite 2595 log10


def test_transkuns_six_windows():
    """Frames that are normalised together with the zeros about the clip: here the padding is a part of the clip."""
    of_it = stored("transkun_v2")
    clip, count, n_fft, hop = of_it["input"].astype(float), len(of_it["times"]), 4096, 1024
    padded = np.zeros(n_fft + (count - 1) * hop)
    padded[n_fft // 2 :][: len(clip)] = clip
    framed = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    assert len(framed) == count
    padded = (padded - framed.mean()) / (framed.std(ddof=1) + 1e-8)
    sigma = 1 / (1 + np.exp(1.0))
    windows = ["hann", *(("shifted_gaussian", k / 6, sigma) for k in range(1, 6))]
    assert_allclose(
        [filters.window(name, n_fft)[::8] for name in windows], of_it["windows_every_8th_sample"], atol=5e-7
    )
    numbers = {
        "n_mels": 229,
        "f_min": 30.0,
        "f_max": 8000.0,
        "normalized": "frame_length",
        "pad_mode": "constant",
        **HTK,
    }
    channels = [
        values(MelSpectrogram(sample_rate=44100, n_fft=n_fft, hop_length=hop, window=name, **numbers), padded)
        for name in windows
    ]
    check(of_it, np.stack(channels)[..., 2 : 2 + count], 2e-5)  # 2,048 samples on


def test_madmoms_three_filtered_spectrograms():
    of_it = stored("madmom_rnn")
    clip = of_it["input"].astype(float) * 32768 / 32767  # what its window does to 16-bit numbers
    sizes = (1024, 2048, 4096)
    front_ends = [LogBandSpectrogram(sample_rate=44100, n_fft=n_fft, **RNN) for n_fft in sizes]
    assert [front_end.n_bins for front_end in front_ends] == [69, 81, 91]
    check(of_it, np.concatenate([values(front_end, clip) for front_end in front_ends]), 2e-7)
    rows = [(n_fft, f) for n_fft, front_end in zip(sizes, front_ends, strict=True) for f in front_end.frequencies]
    firsts = np.r_[0:69, 138:219, 300:391]  # the others are their differences
    for (n_fft, ours), theirs in zip(rows, of_it["freqs"][firsts], strict=True):
        assert ours - theirs in (0, 44100 / n_fft)  # madmom looks for a band's peak among all its bins but the last


# From the description alone


@functools.cache
def clip_16k() -> np.ndarray:
    """A clip taken as if its rate were 16 kHz; recorded where it is at hand."""
    recorded = recorded_music()
    return recorded.reshape(1, -1)[:, :40000] if len(recorded) else synthesised_music()[None]


def triangles(corners: np.ndarray, n_fft: int, sample_rate: float) -> np.ndarray:
    grid = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    return np.stack([np.interp(grid, corners[k : k + 3], [0, 1, 0], 0, 0) for k in range(len(corners) - 2)])


def htk_corners(n_mels: int, f_min: float, f_max: float) -> np.ndarray:
    mel = np.linspace(*(2595 * np.log10(1 + np.array([f_min, f_max]) / 700)), n_mels + 2)
    return 700 * (10 ** (mel / 2595) - 1)


@pytest.mark.parametrize("n_fft, empty", [(1024, 196), (4096, 86), (8192, 40)])
def test_d3rm(n_fft, empty):
    """Squares through 495 triangles with corners a fifth of a semitone apart from MIDI pitch 20.6 on, Slaney's norm."""
    corners = 440 * 2 ** ((20.6 + np.arange(497) / 5 - 69) / 12)
    bank = triangles(corners, n_fft, 16000) * (2 / (corners[2:] - corners[:-2]))[:, None]
    expected = bank @ np.abs(fft(clip_16k(), n_fft, 512, "reflect")) ** 2
    numbers = {"f_min": float(corners[0]), "n_bands": 495, "bins_per_octave": 60, "norm": "slaney", "power": 2.0}
    front_end = LogBandSpectrogram(sample_rate=16000, n_fft=n_fft, hop_length=512, **numbers)
    assert front_end.empty_filters == empty == (bank.sum(1) == 0).sum()
    assert_allclose(front_end.frequencies, corners[1:-1], rtol=1e-12)
    assert relative_l2(values(front_end, clip_16k()), expected) < 1e-9
    assert relative_l2(values(front_end, clip_16k(), torch.float32), expected) < 1e-6


@pytest.mark.parametrize("n_fft, n_mels, f_max", [(2048, 384, 8000.0), (800, 128, 4000.0)])
def test_aria_amt(n_fft, n_mels, f_max):
    """Two Mel spectrograms of squares, HTK's scale, peaks of 1."""
    bank = triangles(htk_corners(n_mels, 30.0, f_max), n_fft, 16000)
    expected = bank @ np.abs(fft(clip_16k(), n_fft, 160, "reflect")) ** 2
    front_end = MelSpectrogram(
        sample_rate=16000, n_fft=n_fft, hop_length=160, n_mels=n_mels, f_min=30.0, f_max=f_max, **HTK
    )
    assert relative_l2(values(front_end, clip_16k()), expected) < 1e-9


def test_muscriptor():
    """Magnitudes through 512 HTK bands from 0 Hz, of which bands 0 and 9 hold no bin."""
    bank = triangles(htk_corners(512, 0.0, 8000.0), 2048, 16000)
    assert list(np.flatnonzero(bank.sum(1) == 0)) == [0, 9]
    front_end = MelSpectrogram(**RATE_16, hop_length=160, n_mels=512, power=1.0, **HTK)
    assert front_end.empty_filters == 2
    expected = bank @ np.abs(fft(clip_16k(), 2048, 160, "reflect"))
    assert relative_l2(values(front_end, clip_16k()), expected) < 1e-9


def test_madmoms_cnn():
    """Magnitudes through 144 bands of unit sum between the bins nearest to quarter tones, a symmetric Hann window."""
    clip, n_fft, hop = clip_16k(), 4096, 882
    tuned = 440 * 2.0 ** (np.arange(-100, 120) / 24)
    grid = np.arange(n_fft // 2) * 44100 / n_fft
    bins = sorted({int(np.abs(grid - f).argmin()) for f in tuned if 30 <= f <= 10000})
    bank = triangles(np.array(bins, float), n_fft, n_fft)
    bank /= bank.sum(1, keepdims=True)
    framed = np.lib.stride_tricks.sliding_window_view(np.pad(clip, ((0, 0), (2048, 2048))), n_fft, axis=-1)[:, ::hop]
    expected = bank @ np.abs(np.fft.rfft(framed * np.hanning(n_fft))).swapaxes(1, 2)
    options = {"f_min": 30.0, "f_max": 10000.0, "bins_per_octave": 24, **MADMOM}
    front_end = LogBandSpectrogram(sample_rate=44100, n_fft=n_fft, hop_length=hop, **options)
    assert front_end.n_bins == 144
    made = values(front_end, clip)
    assert relative_l2(made, expected[..., : made.shape[-1]]) < 1e-9
