"""The 34 rows hold the protocol's numbers; a wrong file ends in one line that names file, key, value and remedy."""

import dataclasses
import pickle
import re

import numpy as np
import pytest
import torch
from conftest import ALL_34, ROWS, each, read_settings
from definition import constant_q_lengths, mel_bank

from sweep.representations import from_tree

# The numbers

# PROTOCOL section 1: n_fft / 2 + 1 bins, n_mels, or seven octaves.
BINS = {
    **{f"{scale}-{n}": n // 2 + 1 for scale in ("linear", "log") for n in (256, 512, 1024, 2048, 4096)},
    **{f"mel-{n}-{m}": m for n, m in ((512, 128), (512, 256), (1024, 128), (1024, 256), (1024, 512))},
    **{f"mel-2048-{m}": m for m in (128, 256, 512, 1024)},
    **{f"mel-4096-{m}": m for m in (128, 256, 512, 1024, 2048)},
    **{f"cqt-{b}": 7 * b for b in (12, 24, 36, 48, 72, 96, 120, 180, 240, 288)},
}


def test_the_rows_are_the_protocols_34():
    assert len(ALL_34) == 34
    assert {r.name: r.n_bins for r in ALL_34} == BINS


@each()
def test_what_all_rows_share(representation):
    r = representation
    assert (r.sample_rate, r.hop_length, r.window, r.n_frames(16384)) == (44100, 512, "hann", 33)
    assert r.pad_mode == ("reflect" if r.family == "mel" else "constant")
    assert r.frequencies.shape == (r.n_bins,) and r.frequencies.dtype == np.float64
    assert (np.diff(r.frequencies) > 0).all() and r.frequencies[-1] < 22050


@each()
def test_frequencies_and_context(representation):
    r, f = representation, representation.frequencies
    if r.family == "cqt":
        assert f[0] == 55
        np.testing.assert_allclose(f[r.bins_per_octave :] / f[: -r.bins_per_octave], 2)
        assert r.context == constant_q_lengths(np.array([55.0]), r.bins_per_octave, 44100)[0]
    elif r.family == "mel":
        assert 50 < f[0] and f[-1] < 6000 and r.context == r.n_fft
    else:
        assert f[0] == 50 and r.context == r.n_fft
        steps = np.diff(f) if r.family == "linear" else f[1:] / f[:-1]
        np.testing.assert_allclose(steps, steps[0])
        above = f[-1] + steps[0] if r.family == "linear" else f[-1] * steps[0]
        assert above == pytest.approx(6000)  # f_max itself is the first bin left out


def test_the_longest_kernels_that_the_protocol_states():
    assert (ROWS["cqt-12"].context, ROWS["cqt-288"].context) == (13_485, 332_752)


@each()
def test_empty_filters_are_counted(representation):
    r = representation
    bank = mel_bank(44100, r.n_fft, r.n_mels, 50.0, 6000.0) if r.family == "mel" else np.ones((1, 1))
    assert r.empty_filters == (bank.max(1) == 0).sum()
    if r.family == "mel":
        assert r.transform().empty_filters == r.empty_filters


def test_rows_can_be_told_apart_and_sent_to_another_process():
    assert len(set(ALL_34)) == 34
    for r in ALL_34:
        copied = pickle.loads(pickle.dumps(r))
        assert copied == r and copied.n_bins == r.n_bins
        with pytest.raises(dataclasses.FrozenInstanceError):
            r.hop_length = 256


def test_the_numbers_reach_the_front_end():
    stft = from_tree({**read_settings("log-512"), "n_bins": 40, "f_min": 100.0, "hop_length": 300}).transform()
    assert (stft.n_bins, stft.hop_length, stft.frequencies[0]) == (40, 300, 100.0)
    mel = from_tree({**read_settings("mel-512-128"), "power": 1.0, "f_max": None}).transform(trainable="bank")
    assert mel.power == 1.0 and mel.frequencies[-1] > 20_000 and len(list(mel.parameters())) == 1
    cqt = from_tree({**read_settings("cqt-12"), "window": "hamming", "norm": "none", "n_bins": 24}).transform()
    click = torch.nn.functional.one_hot(torch.tensor(512), 1024).float()
    assert cqt.n_bins == 24
    # Hamming's peak over its sum, 0.54 of its length.
    assert float(cqt(click)[0, 1]) == pytest.approx(1 / (0.54 * 13_485), rel=1e-3)


# What is wrong with a file


def message(name: str, *, without: str | None = None, **changes) -> str:
    settings = {**read_settings(name), **changes}
    settings.pop(without, None)
    with pytest.raises(ValueError) as caught:
        from_tree(settings)
    text = str(caught.value)
    assert text.startswith(f"conf/representation/{name}.yaml: ") and "\n" not in text and len(text) < 400
    return text


# Row, the key at fault, its value, words of the remedy.
WRONG = [
    ("mel-512-128", "n_mels", 300, "300 > 257 bins of n_fft 512; choose"),
    ("mel-512-128", "f_min", 6000.0, "f_max 6000 Hz; choose"),
    ("linear-256", "f_min", 7000.0, "f_max 6000 Hz; choose"),
    ("log-256", "f_max", 30000.0, "half the sample rate, 22050 Hz; choose"),
    ("mel-512-128", "f_max", 30000.0, "half the sample rate, 22050 Hz; choose"),
    ("cqt-12", "n_bins", 120, "half the sample rate, 22050 Hz; choose n_bins at most 104"),
    ("linear-256", "n_fft", 257, "choose 256 or 258"),
    ("mel-512-128", "n_fft", 511, "choose 510 or 512"),
    ("mel-512-128", "window", "hanning", "choose hann, hamming, blackman"),
    ("mel-512-128", "window", ["kaiser"], "choose hann, hamming, blackman"),
    ("cqt-12", "window", "barlett", "choose hann"),
    ("cqt-12", "norm", "l1", "choose one of sqrt_length"),
    ("cqt-12", "pad_mode", "zeros", "choose one of constant, reflect"),
    ("mel-512-128", "mel_scale", "bark", "choose one of slaney, htk"),
    ("mel-512-128", "norm", "area", "choose one of slaney"),
    ("linear-256", "scale", "mel", "choose one of fft, linear, log"),
    ("cqt-12", "family", "cqtt", "choose one of cfp, cqt, gammatone, leaf, linear, log, log_bands, mel, sincnet, vqt"),
    ("cqt-12", "family", ["cqt"], "choose one of cfp, cqt, gammatone, leaf, linear, log, log_bands, mel, sincnet, vqt"),
    ("cqt-12", "family", None, "choose one of cfp, cqt, gammatone, leaf, linear, log, log_bands, mel, sincnet, vqt"),
    ("cqt-12", "sample_rate", 10, "1,000 to 384,000"),
    ("cqt-12", "framing", "left", "choose one of centred, "),
    ("mel-512-128", "framing", "from_start", "choose pad_mode=constant"),
    ("mel-512-128", "level", {"name": "loud"}, "choose one of file, frames, peak, rms, window"),
    ("mel-512-128", "level", {"name": "frames"}, "choose pad_mode=constant"),
    ("mel-512-128", "compression", "log", "needs a name and keys, such as {name: db}"),
    ("mel-512-128", "compression", {"name": "log"}, "choose offset, floor or zero above 0"),
    ("mel-512-128", "compression", {"name": "db", "of": "power", "floor": 0.0}, "choose offset or floor above 0"),
    (
        "mel-512-128",
        "compression",
        {"name": "db", "of": "power", "range": 0},
        "compression.range 0: needs a number above 0",
    ),
    ("mel-512-128", "compression", {"name": "log", "offest": 1.0}, "did you mean offset?"),
    ("mel-512-128", "normalisation", {"name": "minmax", "offset": -1}, "normalisation.offset -1: needs a"),
    ("mel-512-128", "stack", {"name": "differences", "lags": [0]}, "stack.lags 0: needs a whole number"),
    ("mel-512-128", "stack", {"name": "differences", "lags": [1, 1]}, "needs one for each of 1 parts"),
    ("mel-512-128", "stack", {"name": "shifts", "shifts": [0, 0.5], "n_bins": 4}, "needs a list of whole numbers"),
    ("mel-512-128", "stack", {"name": "shifts", "shifts": [0], "n_bins": 999}, "stack.n_bins 999: there are 128"),
    ("mel-512-128", "stack", {"name": "shifts", "shifts": [128], "n_bins": 4}, "stack.shifts 128: there are 128 bins"),
    ("mel-512-128", "win_length", 513, "win_length 513 > n_fft 512"),
    ("mel-512-128", "compression", {"name": "db"}, "compression.of: missing"),
    ("omnizart", "powers", [1, 2], "needs three"),
    ("omnizart", "powers", [1, 2, -1], "powers -1: needs a number above 0"),
    ("omnizart", "win_length", 30_000, "win_length 30000 > n_fft 22050"),
    ("omnizart", "window", ["kaiser", 1.0], "choose one of"),
    ("omnizart", "pad_mode", "reflect", "choose constant"),
    ("omnizart", "framing", "from_start", "choose centred, or norm=window"),
    ("mel-512-128", "parts", [], "needs a part at least, or null"),
    ("mel-512-128", "parts", 3, "needs a list"),
    ("mel-512-128", "parts", [3], "3 is no part"),
    ("mel-512-128", "parts", [{"nfft": 512}], "nfft: no key of a part; there is window"),
    ("mel-512-128", "parts", [{"n_mels": 64}, {}], "join channels: the row has 128 bins and its parts [64, 128]"),
    ("mel-512-128", "parts", [{"n_fft": 3}], "n_fft 3 is odd"),
]
NUMBERS = {
    "linear-256": ["sample_rate", "hop_length", "n_fft", "f_max"],
    "log-256": ["sample_rate", "hop_length", "n_fft", "f_min", "f_max"],
    "mel-512-128": ["sample_rate", "hop_length", "n_fft", "n_mels", "f_max", "power"],
    "cqt-12": ["sample_rate", "hop_length", "f_min", "n_bins", "bins_per_octave"],
}
NULLABLE = {("mel-512-128", "f_max"), ("linear-256", "n_bins"), ("log-256", "n_bins")}
KEYS = [(name, key) for name, keys in NUMBERS.items() for key in keys]
WRONG += [(name, key, value, "needs a") for name, key in KEYS for value in (0, -1, "abc", True, [1], float("nan"))]
WRONG += [(name, key, None, "needs a") for name, key in KEYS if (name, key) not in NULLABLE]
WRONG += [("linear-256", "f_min", value, "needs a") for value in (-1, "abc", True, None)]
WRONG += [("mel-512-128", "f_min", value, "needs a") for value in (-1, "abc", True, None)]


@pytest.mark.parametrize("name, key, value, remedy", WRONG)
def test_a_wrong_value(name, key, value, remedy):
    text = message(name, **{key: value})
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    shown = "" if isinstance(value, dict | list) and value else shown  # a part of it is at fault
    assert re.search(rf"\b{key}\b", text) and shown in text and remedy in text, text


@pytest.mark.parametrize(
    "name, wrong, meant",
    [("mel-512-128", "n_mel", "n_mels"), ("cqt-12", "bins_per_octav", "bins_per_octave"), ("log-256", "nfft", "n_fft")],
)
def test_an_unknown_key_like_a_known_one(name, wrong, meant):
    text = message(name, **{wrong: 64})
    assert f"{wrong} (64): unknown key" in text and f"did you mean {meant}?" in text


def test_an_unknown_key_like_no_other():
    text = message("cqt-12", colour="blue")
    assert "colour (blue): unknown key" in text and "bins_per_octave" in text


def test_a_key_of_another_family():
    assert "n_mels (64): unknown key" in message("cqt-12", n_mels=64)


@pytest.mark.parametrize("key", ["n_mels", "power", "hop_length"])
def test_a_missing_key(key):
    for text in (message("mel-512-128", without=key), message("mel-512-128", **{key: "???"})):
        assert f" {key}: missing; give it a value" in text


@each()
def test_every_row_is_read_from_plain_data(representation):
    """Built anew from its own fields, it is itself: a file holds all there is."""
    fields = {f.name: getattr(representation, f.name) for f in dataclasses.fields(representation) if f.init}
    assert from_tree(fields) == representation
