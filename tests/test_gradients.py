"""Gradients are those of the sums, by finite differences in float64, and finite where a spectrogram is zero."""

import pytest
import torch
from conftest import ALL_34, DEVICES, WINDOW, each
from torch.autograd import gradcheck

from sweep.engines.magnitudes import powered
from sweep.transforms import CFP, CQT, MFCC, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram

STFT_8 = {"sample_rate": 8000, "n_fft": 16, "hop_length": 24, "n_bins": 5, "f_min": 500.0, "f_max": 3500.0}
MEL_4 = {"sample_rate": 8000, "n_fft": 32, "hop_length": 24, "n_mels": 4, "f_min": 100.0}
LOG_4 = {"sample_rate": 8000, "n_fft": 32, "hop_length": 24, "f_min": 400.0, "bins_per_octave": 2, "symmetric": True}
CQT_4 = {"sample_rate": 8000, "hop_length": 24, "f_min": 300.0, "n_bins": 4, "bins_per_octave": 3}
STFTS = [{**STFT_8, "scale": "fft"}, {**STFT_8, "scale": "fft", "first_bin": 1, "win_length": 9}] + [
    {**STFT_8, "scale": scale, "engine": engine} for scale in ("linear", "log") for engine in ("direct", "spectral")
]
CQTS = [{**CQT_4, "engine": engine} for engine in ("direct", "spectral")]
CQTS.append({**CQT_4, "f_min": 5.0, "engine": "auto"})  # kernels of 6,200 samples and fewer: either engine
MELS = [{**MEL_4, "engine": engine, "power": power} for engine in ("auto", "direct") for power in (1.0, 2.0, 3.0)]


LOG_BANDS = [{**LOG_4, "engine": engine, "power": power} for engine in ("auto", "direct") for power in (1.0, 2.0)]
GAMMA_4 = {"sample_rate": 8000, "n_fft": 32, "hop_length": 24, "n_bands": 4, "f_min": 300.0, "norm": None}
GAMMATONES = [{**GAMMA_4, "engine": engine, "power": power} for engine in ("auto", "direct") for power in (1.0, 2.0)]


def clip(samples: int = 60) -> torch.Tensor:
    return torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)


def spell(settings: dict) -> str:
    return "-".join(str(v) for k, v in settings.items() if k in ("scale", "engine", "power", "trainable"))


# With respect to the waveform


@pytest.mark.parametrize("output", ["magnitude", "power", "complex"])
@pytest.mark.parametrize("settings", STFTS, ids=spell)
def test_stft_by_finite_differences(settings, output):
    assert gradcheck(STFT(**settings, output=output), clip())


@pytest.mark.parametrize("output", ["magnitude", "power", "complex"])
@pytest.mark.parametrize("settings", CQTS, ids=spell)
def test_cqt_by_finite_differences(settings, output):
    assert gradcheck(CQT(**settings, output=output), clip())


@pytest.mark.parametrize("settings", MELS, ids=spell)
def test_mel_by_finite_differences(settings):
    assert gradcheck(MelSpectrogram(**settings), clip())


@pytest.mark.parametrize("settings", LOG_BANDS, ids=spell)
def test_log_bands_by_finite_differences(settings):
    assert gradcheck(LogBandSpectrogram(**settings, normalized="window"), clip())


@pytest.mark.parametrize("settings", GAMMATONES, ids=spell)
def test_gammatone_by_finite_differences(settings):
    assert gradcheck(Gammatone(**settings), clip())


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_a_clip_cut_into_blocks_by_finite_differences(pad_mode):
    settings = {**CQT_4, "f_min": 1500.0, "n_bins": 2, "hop_length": 2, "pad_mode": pad_mode}
    transform = CQT(**settings, engine="spectral")
    x = clip(150)
    assert transform(x).shape[-1] > 64  # frames of a block
    assert gradcheck(transform, x)


@pytest.mark.parametrize("engine", ["direct", "spectral"])
def test_the_second_derivative_by_finite_differences(engine):
    assert torch.autograd.gradgradcheck(CQT(**CQT_4, engine=engine), clip(24))


def second(function, x: torch.Tensor) -> torch.Tensor:
    """The gradient of a gradient's weighted sum."""
    x = x.detach().clone().requires_grad_()
    y = function(x)
    (gradient,) = torch.autograd.grad((y * torch.cos(torch.arange(y.numel()).view_as(y))).sum(), x, create_graph=True)
    return torch.autograd.grad((gradient * torch.cos(torch.arange(x.numel()).view_as(x))).sum(), x)[0]


@pytest.mark.parametrize("exponent, least", [(0.25, 1e-20), (0.5, 1e-24), (1.5, 1e-24), (3.0, 1e-12)])
def test_the_second_derivative_of_a_power(exponent, least):
    """By differences, and p (p - 1) x^(p - 2) down to where float32 hardly holds it, or the power; 0 from 0 down."""
    x = clip().detach().abs().add(0.1).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda v: powered(v * 1.0, exponent), x)
    values = torch.tensor([least, 0.0, least, -1.0])
    expected = exponent * (exponent - 1) * values.double() ** (exponent - 2) * torch.cos(torch.arange(4.0)) ** 2
    expected[values <= 0] = 0
    torch.testing.assert_close(
        second(lambda v: powered(v * 1.0, exponent), values).double(), expected, rtol=1e-5, atol=0
    )


@pytest.mark.parametrize(
    "transform, amplitude",
    [
        (STFT(n_fft=256, hop_length=64), 1e-12),
        (MelSpectrogram(n_fft=256, n_mels=20, power=1.0), 1e-12),
        (MelSpectrogram(n_fft=256, n_mels=20, power=0.5), 1e-12),
        (CFP(sample_rate=8000, hop_length=64, n_fft=512, win_length=255, f_min=100.0, f_max=1000.0), 1e-9),
    ],
    ids=lambda it: type(it).__name__,
)
def test_the_second_derivative_of_quiet_and_half_silent_clips(transform, amplitude):
    """As in float64; but for CFP's, which are finite: its roots magnify what rounding leaves of a cepstrum's zeros."""
    x, bar = clip(3000).detach(), torch.inf if isinstance(transform, CFP) else 1e-4  # 4e-5 measured
    half = x.clone()
    half[:, 1500:] = 0
    for some in (amplitude * x, half):
        found, expected = second(transform, some.float()), second(transform, some)
        assert found.isfinite().all() and (found - expected).norm() < bar * expected.norm()
    assert torch.equal(second(transform, torch.zeros(1, 3000)), torch.zeros(1, 3000))


# With respect to trained kernels


TRAINED = [
    STFT(**STFT_8, scale="log", output="complex", trainable=True),
    STFT(**STFT_8, trainable=True),
    CQT(**CQT_4, trainable=True),
    STFT(**STFT_8, first_bin=1, win_length=9, window=("kaiser", 3.0), normalized="window", trainable=True),
    MelSpectrogram(**MEL_4, trainable=True),
    LogBandSpectrogram(**LOG_4, trainable=True),
    MelSpectrogram(**MEL_4, trainable="bank"),
    MelSpectrogram(**MEL_4, trainable="kernels"),
    Gammatone(**GAMMA_4, trainable=True),
    MFCC(**MEL_4, n_mfcc=3, trainable=True),
]


@pytest.mark.parametrize("transform", TRAINED)
def test_trained_kernels_by_finite_differences(transform):
    transform = transform.double()
    names, values = zip(*transform.named_parameters(), strict=True)
    x = clip().detach()

    def spectrogram(*values):
        return torch.func.functional_call(transform, dict(zip(names, values, strict=True)), (x,))

    assert gradcheck(spectrogram, values)


# On silence


def gradient(transform, x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    y = transform(x)
    (torch.view_as_real(y) if y.is_complex() else y).sum().backward()
    return x.grad


@each()
@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_on_silence_is_finite(representation, device, music):
    transform = representation.transform().to(device)
    assert (gradient(transform, torch.zeros(1, WINDOW, device=device)) == 0).all()
    half = music[:1].to(device, copy=True)
    half[:, WINDOW // 2 :] = 0
    found = gradient(transform, half)
    assert found.isfinite().all() and found.abs().max() > 0


EVERY_OUTPUT = [
    front_end(**settings, output=output)
    for front_end, many in ((STFT, STFTS), (CQT, CQTS))
    for settings in many
    for output in ("magnitude", "power", "complex")
]
EVERY_OUTPUT += [MelSpectrogram(**settings) for settings in MELS]
EVERY_OUTPUT += [LogBandSpectrogram(**settings, normalized="window") for settings in LOG_BANDS]
EVERY_OUTPUT += [Gammatone(**settings) for settings in GAMMATONES]
EVERY_OUTPUT += [MFCC(**MEL_4, n_mfcc=3, engine=engine) for engine in ("auto", "direct")]
EVERY_OUTPUT += [MelSpectrogram(**MEL_4, power=0.5), MelSpectrogram(**MEL_4, power=0.5, engine="direct"), *TRAINED]


@pytest.mark.parametrize("transform", EVERY_OUTPUT)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_every_gradient_on_silence_is_finite(transform, dtype):
    silent, part = torch.zeros(1, 200, dtype=dtype), torch.zeros(1, 200, dtype=dtype)
    part[:, :50] = clip(50)[:1].detach().to(dtype)
    for x in (silent, part, 1e-30 * part, 1e-42 * part):
        transform.zero_grad()
        assert gradient(transform, x).isfinite().all()
        assert all(p.grad.isfinite().all() for p in transform.parameters())


def test_every_row_is_differentiable_where_log_is_taken(music):
    """log(z + 1e-5) of silence, as the transcriber takes it."""
    for representation in ALL_34[::5]:
        x = torch.zeros(1, WINDOW, requires_grad=True)
        (representation.transform()(x) + 1e-5).log().sum().backward()
        assert x.grad.isfinite().all()
