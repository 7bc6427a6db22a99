"""`sweep features` gives what published transcription systems feed to their networks, from the same audio.

shared/data/systems holds what each system's own code made of four seconds of MusicNet. The bar is that 99.5 % of the
cells lie within 0.3 % of the span that the values have; where a system is only described, the formulas are written out.
"""

import json

import librosa
import numpy as np
import pytest
import soundfile
from conftest import SHARED, read_grid

from experiments.systems.agreement import FILES
from sweep import row
from sweep.commands import parser

SPECTRUM_FIRST = ("onsets-velocities",)  # its difference is made by the network


def stored(name: str) -> dict[str, np.ndarray]:
    """What a system's code made, by key."""
    path = SHARED / "systems" / f"{FILES[name]}.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(np.load(path))


def features(name: str, audio: np.ndarray, sample_rate: int, folder) -> dict[str, np.ndarray]:
    """What the command writes of 16-bit audio, by key."""
    soundfile.write(folder / "clip.wav", audio, sample_rate, subtype="PCM_16")
    assert parser.main(["features", name, str(folder / "clip.wav"), "--out", str(folder / "out"), "--no-picture"]) == 0
    return dict(np.load(folder / "out" / "clip.npz"))


def share_within(actual: np.ndarray, expected: np.ndarray) -> float:
    low, high = np.percentile(expected, [0.1, 99.9])
    return float((np.abs(actual - expected) <= 0.003 * (high - low)).mean())


@pytest.mark.parametrize("name", FILES)
def test_features_are_those_of_the_systems_own_code(name, tmp_path):
    theirs = stored(name)
    ours = features(name, theirs["input"], int(theirs["sample_rate"]), tmp_path)
    np.testing.assert_allclose(ours["times"], theirs["times"], atol=1e-6)
    made = ours["features"][0] if name in SPECTRUM_FIRST else ours["features"]
    made, expected = made[..., theirs["frame_index"]], theirs["output"]
    assert made.shape == expected.shape
    assert share_within(made, expected) >= 0.995
    if name != "deep-salience":  # the others agree in all cells
        assert share_within(made, expected) == 1
    if name not in ("madmom-rnn", "omnizart"):  # which name a band's peak, and a row, by another bin of the FFT
        np.testing.assert_allclose(ours["frequencies"], theirs["freqs"], rtol=1e-3)


@pytest.mark.parametrize("name", FILES)
def test_spectrograms_are_those_before_compression(name, tmp_path):
    theirs = stored(name)
    key = "cqt" if name == "basic-pitch" else "spectrogram"
    if key not in theirs:
        pytest.skip("its code keeps none")
    ours = features(name, theirs["input"], int(theirs["sample_rate"]), tmp_path)["spectrogram"]
    made = ours[..., theirs["stage_frame_index"]]
    made = made**0.5 if name == "basic-pitch" else made  # whose compression takes the power
    assert share_within(made, theirs[key]) > 0.999


# Described only: the formulas of the description, in float64


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> np.ndarray:
    """Two seconds of decaying tones over noise, whole multiples of 1/32768."""
    rng, t = np.random.default_rng(0), np.arange(32000) / 16000
    tones = sum(np.exp(-3 * t) * np.sin(2 * np.pi * f * t) / (i + 1) for i, f in enumerate((110.0, 220, 440, 1318.5)))
    return np.round((0.1 * tones + 1e-3 * rng.standard_normal(len(t))) * 32768) / 32768


def power(clip: np.ndarray, n_fft: int, hop: int, **options) -> np.ndarray:
    return np.abs(librosa.stft(clip, n_fft=n_fft, hop_length=hop, dtype=complex, **options)) ** 2


def htk_bank(n_fft: int, n_mels: int, f_min: float, f_max: float) -> np.ndarray:
    return librosa.filters.mel(
        sr=16000, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max, htk=True, norm=None, dtype=float
    )


def described_aria_amt(clip):
    bands = [
        htk_bank(n, mels, 30.0, top) @ power(clip, n, 160, pad_mode="reflect")[..., :-1]
        for n, mels, top in ((2048, 384, 8000.0), (800, 128, 4000.0))
    ]
    y = np.log10(np.maximum(np.concatenate(bands), 1e-10))
    return (np.maximum(y, y.max() - 8) + 4) / 4


def described_muscriptor(clip):
    return np.log(htk_bank(2048, 512, 0.0, 8000.0) @ power(clip, 2048, 160, pad_mode="reflect") ** 0.5 + 1e-6)


def described_d3rm(clip):
    corners = 440 * 2 ** ((20.6 + np.arange(497) / 5 - 69) / 12)
    found = []
    for n_fft in (1024, 4096, 8192):
        grid = np.arange(n_fft // 2 + 1) * 16000 / n_fft
        bank = np.stack([np.interp(grid, corners[k : k + 3], [0, 1, 0], 0, 0) for k in range(495)])
        bank *= (2 / (corners[2:] - corners[:-2]))[:, None]
        found.append(bank @ power(clip, n_fft, 512, pad_mode="reflect")[:, :-1])
    return np.log(np.maximum(found, 1e-7))


def described_madmom_cnn(clip):
    grid = np.arange(2048) * 44100 / 4096
    tuned = 440 * 2.0 ** (np.arange(-100, 120) / 24)
    bins = np.array(sorted({int(np.abs(grid - f).argmin()) for f in tuned if 30 <= f <= 10000}), float)
    bank = np.stack([np.interp(np.arange(2048), bins[k : k + 3], [0, 1, 0], 0, 0) for k in range(len(bins) - 2)])
    bank /= bank.sum(1, keepdims=True)
    frames = np.stack([np.pad(clip, 2048)[882 * j : 882 * j + 4096] for j in range(-(-len(clip) // 882))])
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(4096)))[:, :2048]
    return np.log10(bank @ spectrum.T + 1)


def described_fretnet(clip):
    clip = clip / np.sqrt((clip**2).mean())
    found = []
    for harmonic in (0.5, 1, 2, 3, 4, 5):
        numbers = {"sr": 22050, "hop_length": 512, "fmin": 82.41 * harmonic, "n_bins": 144, "bins_per_octave": 36}
        magnitude = np.abs(librosa.vqt(clip, gamma=0, pad_mode="constant", dtype=complex, **numbers))
        found.append(librosa.amplitude_to_db(magnitude, ref=np.max, top_db=80) / 80 + 1)
    frames = min(part.shape[1] for part in found)
    return np.stack([part[:, :frames] for part in found])


DESCRIBED = {
    "aria-amt": described_aria_amt,
    "muscriptor": described_muscriptor,
    "d3rm": described_d3rm,
    "madmom-cnn": described_madmom_cnn,
    "fretnet": described_fretnet,
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_features_are_as_described(name, clip, tmp_path):
    ours = features(name, clip, row(name).sample_rate, tmp_path)["features"]
    expected = DESCRIBED[name](clip)
    assert ours.shape == expected.shape
    assert share_within(ours, expected) >= (0.995 if name == "fretnet" else 0.9999)


def test_every_system_of_the_grid_is_compared():
    assert sorted([*FILES, *DESCRIBED]) == sorted(read_grid("systems")) and len(read_grid("systems")) == 20
    everything = read_grid("everything")
    assert everything == [*read_grid("systems"), *read_grid()] and len(set(everything)) == 54


def test_the_stored_inputs_are_what_a_16_bit_file_holds():
    theirs = stored("kong")
    assert np.array_equal(np.round(theirs["input"] * 32768) / 32768, theirs["input"])
    assert json.loads(str(theirs["meta"]))["name"] == "kong_bytedance"
