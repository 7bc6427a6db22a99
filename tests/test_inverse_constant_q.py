"""CQT.inverse gives the waveform whose spectrum is nearest: as near as other libraries' inverses, and nearer."""

import librosa
import numpy as np
import pytest
import torch
from conftest import DEVICES, SHARED

from sweep.transforms import CQT

RATE = 22050  # Hz
# In which every octave has more values than samples; and librosa's defaults, in which those above 745 Hz have fewer.
FINE = {"hop_length": 256, "n_bins": 252, "bins_per_octave": 36}
COARSE = {"hop_length": 512, "n_bins": 84, "bins_per_octave": 12}
SMALL = {"sample_rate": RATE, "hop_length": 32, "f_min": 500.0, "n_bins": 40, "output": "complex"}


def tones(samples: int = 8192, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Three tones between the lowest and the highest bin of SMALL, faded in and out so that nothing lies outside."""
    t = torch.arange(samples, dtype=torch.float64) / RATE
    chord = sum(torch.sin(2 * torch.pi * f * t + f) for f in (987.8, 1480.0, 2637.0))
    return (chord * torch.hann_window(samples, periodic=False, dtype=torch.float64)).to(dtype)


def music(seconds: float) -> np.ndarray:
    """Struck strings of ten partials, a chord each third of a second, and a noise floor."""
    rng, x = np.random.default_rng(0), 1e-3 * np.random.default_rng(1).standard_normal(int(seconds * RATE))
    for start in range(0, len(x), RATE // 3):
        t = np.arange(len(x) - start) / RATE
        for note in rng.integers(40, 80, 3):
            for partial in range(1, 11):
                wave = np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * partial * t + rng.uniform(0, 6))
                x[start:] += wave * np.exp(-2 * partial * t) / partial * (440 * partial < RATE / 2)
    return x


def ratio(x: np.ndarray, y: np.ndarray, ends: int = 0) -> float:
    """Signal-to-error ratio in dB, without so many samples at both ends."""
    x, y = x[ends : len(x) - ends], y[ends : len(y) - ends]
    return 10 * np.log10((x**2).sum() / ((x - y) ** 2).sum())


def inverted(x: np.ndarray, dtype: torch.dtype = torch.float32, **numbers) -> np.ndarray:
    cqt, waveform = CQT(sample_rate=RATE, output="complex", **numbers), torch.from_numpy(x).to(dtype)
    return cqt.inverse(cqt(waveform), length=len(x)).double().numpy()


@pytest.mark.parametrize("device", DEVICES)
def test_what_the_bins_hear_comes_back(device):
    """Up to lambda, 1e-3: 63 dB measured."""
    cqt = CQT(**SMALL, accuracy="exact").to(device)
    for dtype, tolerance in ((torch.float32, 1e-3), (torch.float64, 1e-3), (torch.float64, 1e-6)):
        x = tones(dtype=dtype).to(device)
        y = cqt.inverse(cqt(x), length=len(x), tolerance=tolerance, n_iter=100)
        assert (y.shape, y.dtype, y.device) == (x.shape, dtype, x.device)
        assert ratio(x.double().cpu().numpy(), y.double().cpu().numpy()) > 60


@pytest.mark.parametrize("hop_length, bins_per_octave", [(512, 12), (256, 12), (512, 24)])
def test_how_near_is_a_matter_of_the_hop(hop_length, bins_per_octave):
    """Noise up to a share of the limit, as docs/reference/inverse.md says: 2.1e-3, 8.8e-3 and 4.2e-2 are the worst."""
    limit = 1.44 * bins_per_octave * 44100 / hop_length
    numbers = {"hop_length": hop_length, "n_bins": 7 * bins_per_octave, "bins_per_octave": bins_per_octave}
    cqt, frequencies = CQT(output="complex", **numbers), np.fft.rfftfreq(2**16, 1 / 44100)
    noise = np.fft.rfft(np.random.default_rng(0).standard_normal(2**16))
    found = []
    for share in (0.5, 0.67, 0.9):
        x = np.fft.irfft(noise * ((frequencies > 300) & (frequencies < share * limit))) * np.hanning(2**16)
        waveform = torch.from_numpy(x).float()
        found.append(10 ** (-ratio(x, cqt.inverse(cqt(waveform), length=2**16).double().numpy()) / 20))
    assert all(error < bar for error, bar in zip(found, (3e-3, 1e-2, 5e-2), strict=True)), found
    assert found[2] > 2e-2  # no less: a spectrum there has hardly more values than the waveform


# Beside other libraries, at their settings


@pytest.mark.parametrize("numbers, more", [(FINE, 0.2), (COARSE, 6.0)], ids=["fine", "coarse"])
def test_librosa(numbers, more):
    """Nearer than librosa.icqt, by dB that the chords here set (0.4 and 8.6 measured): it inverts each octave alone."""
    x = music(1.5)
    theirs = librosa.icqt(
        librosa.cqt(x, sr=RATE, **numbers), sr=RATE, length=len(x), hop_length=numbers["hop_length"],
        bins_per_octave=numbers["bins_per_octave"],
    )  # fmt: skip
    assert ratio(x, inverted(x, **numbers), 4096) > ratio(x, theirs, 4096) + more
    assert ratio(x, inverted(x, **numbers)) > ratio(x, theirs) + more


def test_what_librosa_computed():
    """The values of librosa.cqt itself, by the algorithm that gives them."""
    x, numbers = music(1.0), {**COARSE, "hop_length": 256}
    bins = librosa.cqt(x, sr=RATE, **numbers)
    theirs = librosa.icqt(bins, sr=RATE, hop_length=256, length=len(x))
    cqt = CQT(sample_rate=RATE, algorithm="librosa", bandwidth="both_bins", **numbers)
    assert ratio(x, cqt.inverse(torch.from_numpy(bins), length=len(x)).numpy()) > ratio(x, theirs) + 2


@pytest.mark.skipif(not (SHARED / "systems" / "librosa_icqt.npz").exists(), reason="no shared data")
def test_a_recording_through_librosa():
    """Two seconds of a piano: librosa's signal, as it was stored, is 21.2 dB away without the ends; ours 21.6."""
    stored = np.load(SHARED / "systems" / "librosa_icqt.npz")
    x = stored["input"].astype(np.float64)
    ours, theirs = inverted(x, **FINE), stored["output"][0].astype(np.float64)
    for ends in (0, 4096):
        assert ratio(x, ours, ends) > ratio(x, theirs, ends) + 0.2
    assert ratio(x, theirs, 4096) > 21.0


# As a least-squares problem


def test_each_iteration_is_nearer():
    """With norm="none" all bins respond alike, so that the plain distance is what falls."""
    cqt = CQT(sample_rate=RATE, hop_length=256, f_min=200.0, n_bins=60, norm="none", output="complex")
    noise = torch.randn(8192, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectrum = cqt(noise)
    spectrum = spectrum + 0.1 * spectrum.abs().mean() * torch.randn_like(spectrum)  # which no waveform has
    distances = []
    for n_iter in (1, 2, 3, 5, 8, 13):
        y = cqt.inverse(spectrum, length=8192, n_iter=n_iter, tolerance=1e-9)
        distances.append(float((cqt(y) - spectrum).norm()))
    assert distances == sorted(distances, reverse=True)


def test_what_no_bin_hears_stays_quiet():
    """Of a spectrum of noise, which no waveform has, almost nothing goes where no bin lies."""
    cqt = CQT(**SMALL)
    noise = torch.randn(40, 257, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = cqt.inverse(torch.view_as_complex(noise), length=8192, n_iter=100, tolerance=1e-9)
    power = torch.fft.rfft(y).abs() ** 2
    frequencies = torch.fft.rfftfreq(8192, 1 / RATE)
    outside = (frequencies < 350) | (frequencies > 7000)  # bins from 500 to 4,757 Hz
    assert power[outside].sum() < 1e-2 * power.sum()


@pytest.mark.parametrize(
    "numbers",
    [
        {"algorithm": "1992v2"}, {"algorithm": "1992"}, {"algorithm": "2010"}, {"algorithm": "2010v2"},
        {"algorithm": "nnaudio"}, {"algorithm": "librosa", "bandwidth": "both_bins"}, {"engine": "direct"},
        {"engine": "spectral"}, {"pad_mode": "reflect"}, {"norm": "n_fft"}, {"accuracy": "fast"},
        {"window": "hamming"},
    ],
    ids=lambda numbers: "-".join(map(str, numbers.values())),
)  # fmt: skip
def test_whatever_evaluates_it(numbers):
    cqt, x = CQT(**{**SMALL, **numbers}), tones(4096, torch.float32)
    assert ratio(x.numpy(), cqt.inverse(cqt(x), length=len(x)).numpy()) > 38  # 39.6 with Hamming's side lobes, else 50


def test_whole_frames():
    """Without padding the ends are heard by few frames; up to the last frame's end the rest comes back."""
    cqt, x = CQT(**SMALL, center=False), tones()
    y = cqt.inverse(cqt(x))
    assert len(y) == cqt.context + 32 * (cqt.n_frames(len(x)) - 1) <= len(x)
    assert ratio(x[: len(y)].numpy(), y.numpy(), 500) > 60
    assert cqt.inverse(cqt(x), length=9000).shape == (9000,)


# As a module's other half


def test_clips_do_not_know_of_each_other():
    """A batch's results are those of the clips alone, and a quiet clip's are as good as a loud one's."""
    cqt, x = CQT(**SMALL), tones(4096, torch.float32)
    clips = torch.stack([x, x.flip(0) * 2.0**-80, torch.zeros_like(x), x.roll(100) + 0.1]).view(2, 2, -1)
    y = cqt.inverse(cqt(clips), length=4096)
    assert y.shape == clips.shape and torch.equal(y[1, 0], torch.zeros(4096))
    for got, clip in zip(y.flatten(0, 1), clips.flatten(0, 1), strict=True):
        alone = cqt.inverse(cqt(clip), length=4096)
        assert (got - alone).norm() <= 1e-5 * alone.norm()
    assert ratio(1e25 * clips[0, 1].double().numpy(), 1e25 * y[0, 1].double().numpy()) > 50
    assert cqt.inverse(torch.zeros(0, 3, 40, 9, dtype=torch.complex64)).shape == (0, 3, 256)


def test_length():
    cqt, x = CQT(**SMALL), tones(4100, torch.float32)
    spectrum = cqt(x)
    whole = cqt.inverse(spectrum)
    assert len(whole) == 32 * (spectrum.shape[-1] - 1) == 4096
    assert torch.equal(cqt.inverse(spectrum, length=1000), whole[:1000])
    assert cqt.inverse(spectrum, length=0).shape == (0,)
    assert ratio(tones(4100).numpy(), cqt.inverse(spectrum, length=6000)[:4100].numpy()) > 50


def test_the_gradient_is_the_transpose():
    """The inverse is linear, so <g, inverse(d)> = <gradient, d> for any direction d."""
    cqt = CQT(**{**SMALL, "n_bins": 24})
    generator = torch.Generator().manual_seed(0)
    y, d = (torch.randn(2, 24, 33, dtype=torch.complex128, generator=generator) for _ in range(2))
    g = torch.randn(2, 1024, dtype=torch.float64, generator=generator)
    options = {"n_iter": 300, "tolerance": 1e-9}
    (by_y,) = torch.autograd.grad((cqt.inverse(y.requires_grad_(), **options) * g).sum(), y)
    expected = float((cqt.inverse(d, **options) * g).sum())
    assert float((by_y.conj() * d).real.sum()) == pytest.approx(expected, rel=1e-6)


def test_gradient_on_silence_and_through_both():
    cqt = CQT(**SMALL)
    for x in (torch.zeros(2048, requires_grad=True), tones(2048, torch.float32).requires_grad_()):
        cqt.inverse(cqt(x), length=2048).square().sum().backward()
        assert x.grad.isfinite().all()
    assert (x.grad - 2 * x.detach()).norm() < 1e-2 * x.grad.norm()  # the tones came back, so they are the gradient


def test_modes_of_torch():
    cqt = CQT(**SMALL)
    spectrum = cqt(tones(2048, torch.float32))
    expected = cqt.inverse(spectrum)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert torch.equal(cqt.inverse(spectrum), expected)
    with torch.inference_mode():
        assert torch.equal(cqt.inverse(cqt(tones(2048, torch.float32))), expected)
    compiled = torch.compile(lambda y: 2 * cqt.inverse(y), backend="eager")
    assert torch.equal(compiled(spectrum), 2 * expected)
    assert cqt.state_dict() == {}


def test_transforms_of_torch_func_are_refused():
    cqt = CQT(**SMALL)
    spectra = cqt(torch.stack([tones(2048), tones(2048)]))
    for transform in (
        torch.func.vmap(cqt.inverse),
        torch.func.grad(lambda y: cqt.inverse(y).sum()),
        lambda y: torch.func.jvp(cqt.inverse, (y,), (y,)),
    ):
        with pytest.raises(ValueError, match="spectrum within torch.func .* choose a batch in place of vmap"):
            transform(spectra)


@pytest.mark.parametrize(
    "numbers, given, parts",
    [
        ({"trainable": True}, {}, ["trainable", "choose trainable=False"]),
        ({}, {"spectrum": torch.zeros(40, 9)}, ["float32", 'output="complex"']),
        ({}, {"spectrum": torch.zeros(9, 40, dtype=torch.complex64)}, ["(9, 40)", "(..., 40, frames)"]),
        ({}, {"length": -1}, ["length", "-1"]),
        ({}, {"n_iter": 0}, ["n_iter", "0"]),
        ({}, {"tolerance": 0}, ["tolerance", "0"]),
        ({}, {"tolerance": 1.0}, ["tolerance", "1.0", "below 1"]),
        ({"pad_mode": "reflect"}, {"length": 10}, ["too short for reflect padding"]),
    ],
    ids=str,
)
def test_errors(numbers, given, parts):
    cqt = CQT(**{**SMALL, **numbers})
    with pytest.raises(ValueError) as caught:
        cqt.inverse(**{"spectrum": torch.ones(40, 9, dtype=torch.complex64), **given})
    assert [part for part in parts if part not in str(caught.value)] == [] and "\n" not in str(caught.value)
