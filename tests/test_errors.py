"""What a front-end cannot do it says when it is built or called: the thing, its value and a remedy, in one line."""

import pytest
import torch

from sweep.transforms import CQT, MFCC, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram


def message(front_end, samples: int | None = None, **settings) -> str:
    with pytest.raises(ValueError) as caught:
        transform = front_end(**settings)
        assert samples is not None, "nothing raised when built"
        transform(torch.zeros(2, samples))
    text = str(caught.value)
    assert "\n" not in text and len(text) < 250
    return text


# What each message must hold: the thing, the value, the remedy.
WHEN_BUILT = [
    (STFT, {"n_fft": 511}, ["n_fft", "511", "odd", "510", "512"]),
    (MelSpectrogram, {"n_fft": 1023}, ["n_fft", "1023", "odd", "1022", "1024"]),
    (STFT, {"n_bins": 1026}, ["n_bins", "1026", "1025", "n_fft 2048", "choose"]),
    (STFT, {"scale": "log", "f_min": 6000.0}, ["f_min", "6000", "f_max", "choose"]),
    (STFT, {"scale": "linear", "f_min": 7000.0}, ["f_min", "7000", "f_max", "6000", "choose"]),
    (STFT, {"scale": "log", "f_max": 22051.0}, ["f_max", "22051", "22050", "choose"]),
    (STFT, {"scale": "linear", "sample_rate": 8000}, ["f_max", "6000", "4000", "choose"]),
    (STFT, {"scale": "log", "f_min": 0.0}, ["f_min", "0", "above 0"]),
    (MelSpectrogram, {"n_mels": 300, "n_fft": 512}, ["n_mels", "300", "257", "n_fft 512", "choose"]),
    (MelSpectrogram, {"f_min": 500.0, "f_max": 400.0}, ["f_min", "500", "f_max", "400", "choose"]),
    (MelSpectrogram, {"f_max": 30000.0}, ["f_max", "30000", "22050", "choose"]),
    (MelSpectrogram, {"f_min": -1.0}, ["f_min", "-1", "at least 0"]),
    (MelSpectrogram, {"f_min": 22050.0}, ["f_min", "22050", "choose"]),
    (CQT, {"n_bins": 120}, ["n_bins", "120", "22050", "choose", "113"]),
    (CQT, {"f_min": 30000.0}, ["n_bins", "84", "22050", "choose an f_min"]),
    (STFT, {"engine": "fast"}, ["engine", "'fast'", "auto, direct, spectral"]),
    (CQT, {"engine": "Direct"}, ["engine", "'Direct'", "auto, direct, spectral"]),
    (MelSpectrogram, {"engine": "fft"}, ["engine", "'fft'", "auto, direct"]),
    (CQT, {"accuracy": "low"}, ["accuracy", "'low'", "exact, high, fast"]),
    (STFT, {"accuracy": "low"}, ["accuracy", "'low'", "exact, high, fast"]),
    (MelSpectrogram, {"accuracy": "low"}, ["accuracy", "'low'", "exact, high, fast"]),
    (STFT, {"scale": "mel"}, ["scale", "'mel'", "fft, linear, log"]),
    (STFT, {"output": "Phase"}, ["output", "'Phase'", "magnitude, power, complex"]),
    (CQT, {"output": "Complex"}, ["output", "'Complex'", "magnitude, power, complex"]),
    (CQT, {"norm": "1"}, ["norm", "'1'", "sqrt_length, none, n_fft"]),
    (MelSpectrogram, {"norm": "area"}, ["norm", "'area'", "slaney, None"]),
    (MelSpectrogram, {"mel_scale": "bark"}, ["mel_scale", "'bark'", "slaney, htk"]),
    (MelSpectrogram, {"triangles": "bark"}, ["triangles", "'bark'", "hz, mel"]),
    (STFT, {"first_bin": -1}, ["first_bin", "-1", "whole number"]),
    (STFT, {"first_bin": 1026}, ["first_bin", "1026", "n_fft 2048", "choose 1024"]),
    (STFT, {"first_bin": 1, "n_bins": 1025}, ["n_bins", "1025", "1024", "from bin 1", "choose"]),
    (STFT, {"first_bin": 1, "scale": "log"}, ["first_bin", "1", "f_min", "choose first_bin 0"]),
    (LogBandSpectrogram, {"n_fft": 511}, ["n_fft", "511", "odd", "510", "512"]),
    (LogBandSpectrogram, {"f_min": 0.0}, ["f_min", "0", "above 0"]),
    (LogBandSpectrogram, {"f_min": 500.0, "f_max": 400.0}, ["f_min", "500", "f_max", "400", "choose"]),
    (LogBandSpectrogram, {"f_max": 30000.0}, ["f_max", "30000", "22050", "choose"]),
    (LogBandSpectrogram, {"f_min": 30000.0, "n_bands": 2}, ["f_min", "30000", "22050", "choose"]),
    (LogBandSpectrogram, {"f_max": 5000.0, "n_bands": 12}, ["n_bands 12", "f_max 5000", "choose None"]),
    (LogBandSpectrogram, {"corners": "fft_bins", "n_bands": 12}, ["n_bands", "12", "fft_bins", "choose None"]),
    (LogBandSpectrogram, {"corners": "mel"}, ["corners", "'mel'", "exact, fft_bins"]),
    (LogBandSpectrogram, {"norm": "energy"}, ["norm", "'energy'", "slaney, area, None"]),
    (LogBandSpectrogram, {"f_min": 100.0, "f_max": 110.0}, ["100", "110", "2 corners", "choose a wider"]),
    (LogBandSpectrogram, {"trainable": "all"}, ["trainable", "'all'", "bank", "kernels"]),
    (MelSpectrogram, {"trainable": "all"}, ["trainable", "'all'", "bank", "kernels"]),
    (Gammatone, {"f_min": 500.0, "f_max": 400.0}, ["f_min", "500", "f_max", "400", "choose"]),
    (Gammatone, {"f_max": 30000.0}, ["f_max", "30000", "22050", "choose"]),
    (Gammatone, {"f_min": -1.0}, ["f_min", "-1", "at least 0"]),
    (Gammatone, {"norm": "slaney"}, ["norm", "'slaney'", "n_fft, None"]),
    (Gammatone, {"trainable": "all"}, ["trainable", "'all'", "bank", "kernels"]),
    (MFCC, {"n_mfcc": 129}, ["n_mfcc", "129", "128", "n_mels", "choose"]),
    (MFCC, {"lifter": -1}, ["lifter", "-1", "at least 0"]),
    (MFCC, {"amin": 0}, ["amin", "0", "at least 1e-35"]),
    (MFCC, {"ref": 0}, ["ref", "0", "above 0"]),
    (MFCC, {"top_db": -80.0}, ["top_db", "-80", "at least 0"]),
    (STFT, {"trainable": "bank"}, ["trainable", "'bank'", "False, True"]),
    (CQT, {"trainable": "bank"}, ["trainable", "'bank'", "False, True"]),
    (CQT, {"trainable": True, "engine": "spectral"}, ["engine", "spectral", "direct", "auto"]),
]
SHARED = [
    *(({key: value}, [key, str(value), "whole number"]) for key in ("hop_length",) for value in (0, -512, 1.5, True)),
    *(({"sample_rate": value}, ["sample_rate", str(value), "above 0"]) for value in (0, -44100, float("nan"))),
    ({"window": "hanning"}, ["window", "'hanning'", "hann, hamming, blackman, boxcar"]),
    ({"pad_mode": "zeros"}, ["pad_mode", "'zeros'", "constant, reflect"]),
]
FRAMED = [
    ({"win_length": 2049}, ["win_length", "2049", "n_fft 2048", "choose"]),
    ({"win_length": 0}, ["win_length", "0", "whole number"]),
    ({"symmetric": 1}, ["symmetric", "1", "False, True"]),
    ({"normalized": True}, ["normalized", "True", "none, window, frame_length"]),
    ({"window": "kaiser"}, ["window", "'kaiser'", "hann, hamming, blackman, boxcar", "scipy.signal.get_window"]),
    ({"window": ("gaussian", 0.0)}, ["window", "gaussian", "no window of 2048 samples", "choose"]),
    ({"window": ("hann", "wide")}, ["window", "wide", "numbers"]),
    ({"window": 3}, ["window", "3", "needs a name"]),
    ({"window": []}, ["window", "[]", "needs a name"]),
    ({"window": "shifted_gaussian"}, ["window", "shifted_gaussian", "centre and width", "0.25"]),
    ({"window": ["shifted_gaussian", 0.5, 0]}, ["window", "shifted_gaussian", "width, above 0"]),
    ({"window": ("shifted_gaussian", 0.5, 0.2), "symmetric": True}, ["symmetric", "True", "symmetric=False"]),
]
OF_FFT = (STFT, MelSpectrogram, LogBandSpectrogram, Gammatone, MFCC)
WHEN_BUILT += [(front_end, *case) for front_end in (*OF_FFT, CQT) for case in SHARED]
WHEN_BUILT += [(front_end, *case) for front_end in OF_FFT for case in FRAMED]
WHOLE = [(STFT, "n_fft"), (STFT, "n_bins"), (MelSpectrogram, "n_fft"), (MelSpectrogram, "n_mels")]
WHOLE += [(LogBandSpectrogram, key) for key in ("n_fft", "n_bands", "bins_per_octave")]
WHOLE += [(Gammatone, "n_fft"), (Gammatone, "n_bands"), (MFCC, "n_fft"), (MFCC, "n_mels"), (MFCC, "n_mfcc")]
WHOLE += [(CQT, "n_bins"), (CQT, "bins_per_octave")]
WHEN_BUILT += [(front_end, {key: 0}, [key, "0", "whole number"]) for front_end, key in WHOLE]
WHEN_BUILT += [(front_end, {key: -64}, [key, "-64", "whole number"]) for front_end, key in WHOLE]
POSITIVE = [(MelSpectrogram, "power", 0), (MelSpectrogram, "power", -2.0), (CQT, "f_min", 0.0), (CQT, "f_min", -55.0)]
WHEN_BUILT += [(front_end, {key: value}, [key, str(value), "above 0"]) for front_end, key, value in POSITIVE]


@pytest.mark.parametrize("front_end, settings, parts", WHEN_BUILT)
def test_when_built(front_end, settings, parts):
    text = message(front_end, **settings)
    assert [part for part in parts if part not in text] == [], text


# A clip too short for reflection by half of the longest kernel.
TOO_SHORT = [
    (STFT, {"n_fft": 512}, 256),
    (STFT, {"n_fft": 512, "engine": "direct"}, 256),
    (STFT, {"n_fft": 512, "scale": "log", "engine": "spectral"}, 256),
    (MelSpectrogram, {"n_fft": 512}, 256),
    (LogBandSpectrogram, {"n_fft": 512}, 256),
    (Gammatone, {"n_fft": 512}, 256),
    (MFCC, {"n_fft": 512, "n_mels": 40}, 256),
    (CQT, {"f_min": 440.0, "n_bins": 12, "pad_mode": "reflect"}, 843),  # of 1,686 samples
    (CQT, {"f_min": 440.0, "n_bins": 12, "pad_mode": "reflect", "engine": "spectral"}, 843),
    (CQT, {"f_min": 440.0, "n_bins": 12, "pad_mode": "reflect", "trainable": True}, 843),
]


@pytest.mark.parametrize("front_end, settings, samples", TOO_SHORT)
def test_a_clip_too_short_for_reflection(front_end, settings, samples):
    text = message(front_end, samples, **settings)
    for part in (f"{samples} samples", "too short", "reflect", "longer clip", "constant"):
        assert part in text
    assert front_end(**settings)(torch.zeros(2, samples + 1)).shape[0] == 2


@pytest.mark.parametrize("front_end", [*OF_FFT, CQT])
def test_what_is_no_waveform(front_end):
    transform = front_end()
    for waveform, parts in (
        (torch.tensor(1.0), ["waveform", "()", "samples"]),
        (torch.zeros(3, 0), ["waveform", "(3, 0)", "at least one sample"]),
        (torch.zeros(9000, dtype=torch.complex64), ["waveform", "complex64", "real"]),
    ):
        with pytest.raises(ValueError) as caught:
            transform(waveform)
        assert [part for part in parts if part not in str(caught.value)] == []


@pytest.mark.parametrize("front_end", [*OF_FFT, CQT])
def test_all_arguments_are_keywords_and_known(front_end):
    with pytest.raises(TypeError):
        front_end(44100)
    with pytest.raises(TypeError, match="device"):
        front_end(device="cpu")
