"""A front-end as a module: empty when frozen, trained, float32 under autocast; test_any_module.py copies it."""

import io

import numpy as np
import pytest
import torch
from conftest import DEVICES, ROWS, SAMPLE_RATE, each
from definition import constant_q_lengths, relative_l2

from sweep.transforms import (
    CFP,
    CQT,
    LEAF,
    MFCC,
    STFT,
    VQT,
    FilterBank,
    Gammatone,
    LogBandSpectrogram,
    MelSpectrogram,
    SincNet,
)

BANK = {"frequencies": [700.0, 1500.0], "taps": [np.hanning(31), np.hanning(60) * 1j ** np.arange(60)]}
# Each family by each engine; kernels on both sides of the 2,048 samples where the default changes engines.
SETTINGS = [
    (STFT, {"n_fft": 512}),
    (STFT, {"n_fft": 512, "scale": "log", "output": "complex"}),
    (STFT, {"n_fft": 512, "scale": "linear", "engine": "spectral", "output": "complex"}),
    (STFT, {"n_fft": 4096, "scale": "log", "n_bins": 50, "output": "power"}),
    (MelSpectrogram, {"n_fft": 1024, "n_mels": 40}),
    (MelSpectrogram, {"n_fft": 1024, "n_mels": 40, "engine": "direct", "power": 1.0}),
    (STFT, {"n_fft": 512, "first_bin": 1, "window": ("kaiser", 14.0), "normalized": "window"}),
    (STFT, {"n_fft": 2048, "scale": "log", "n_bins": 50, "win_length": 1500, "window": "blackmanharris"}),
    (MelSpectrogram, {"n_fft": 1024, "n_mels": 40, "win_length": 700, "symmetric": True, "triangles": "mel"}),
    (LogBandSpectrogram, {"n_fft": 1024, "corners": "fft_bins", "norm": "area"}),
    (LogBandSpectrogram, {"n_fft": 1024, "engine": "direct", "window": ("shifted_gaussian", 0.4, 0.3)}),
    (CQT, {"f_min": 110.0}),
    (CQT, {"f_min": 440.0, "n_bins": 24, "engine": "direct"}),
    (CQT, {"f_min": 110.0, "engine": "spectral", "output": "complex"}),
    (CQT, {"f_min": 110.0, "algorithm": "librosa", "bandwidth": "both_bins"}),
    (CQT, {"f_min": 110.0, "algorithm": "nnaudio"}),
    (VQT, {"f_min": 110.0}),
    (VQT, {"f_min": 110.0, "gamma": 20.0, "algorithm": "2010v2", "window": "blackmanharris", "output": "complex"}),
    (CFP, {"n_fft": 4096, "win_length": 2047, "hop_length": 512, "f_min": 100.0, "f_max": 2000.0}),
    (Gammatone, {"n_fft": 1024, "n_bands": 40}),
    (MFCC, {"n_fft": 1024, "n_mels": 40}),
    (FilterBank, BANK),
    (LEAF, {}),
    (LEAF, {"filter_length": 801, "pool_length": 101, "pcen": False}),
    (SincNet, {"n_filters": 20}),
]
TRAINABLE = [
    (STFT, {"n_fft": 256}),
    (STFT, {"n_fft": 256, "scale": "log"}),
    (STFT, {"n_fft": 256, "first_bin": 2, "n_bins": 9, "win_length": 200, "normalized": "frame_length"}),
    (MelSpectrogram, {"n_fft": 256, "n_mels": 20}),
    (LogBandSpectrogram, {"n_fft": 256, "symmetric": True, "window": ("kaiser", 9.0), "f_min": 400.0}),
    (CQT, {"f_min": 110.0, "n_bins": 60}),
    (VQT, {"f_min": 110.0, "n_bins": 60, "basis_norm": "peak"}),
    (Gammatone, {"n_fft": 256, "n_bands": 20}),
    (MFCC, {"n_fft": 256, "n_mels": 20}),
    (FilterBank, BANK),
    (LEAF, {"n_filters": 20}),
    (SincNet, {"n_filters": 20}),
]


def spell(value) -> str:
    return (
        value.__name__
        if isinstance(value, type)
        else "-".join(str(v) for v in value.values() if not isinstance(v, list))
    )


every = pytest.mark.parametrize("front_end, settings", SETTINGS, ids=spell)
on_each_device = pytest.mark.parametrize("device", DEVICES)


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return relative_l2(actual[None], expected[None].detach().cpu().numpy())


# What it holds


@each()
def test_a_row_says_what_it_is(representation):
    r, transform = representation, representation.transform()
    assert transform.n_bins == r.n_bins == len(transform.frequencies)
    assert transform.hop_length == r.hop_length == 512
    assert transform.context == r.context
    assert transform.frequencies.dtype == np.float64
    np.testing.assert_array_equal(transform.frequencies, r.frequencies)
    assert f"n_bins={r.n_bins}" in repr(transform) and f"context={r.context}" in repr(transform)


def test_frequencies_and_context():
    assert STFT(n_fft=1024).frequencies[-1] == 22050 and STFT(n_fft=1024).context == 1024
    mel = MelSpectrogram(n_mels=3, f_min=0.0, f_max=800.0)  # 12 mel, linear below 1 kHz: four equal parts
    np.testing.assert_allclose(mel.frequencies, [200, 400, 600])
    cqt = CQT(f_min=110.0, n_bins=25)
    np.testing.assert_allclose(cqt.frequencies[[0, 12, 24]], [110, 220, 440])
    assert cqt.context == constant_q_lengths(np.array([110.0]), 12, SAMPLE_RATE)[0] == 6743


@every
def test_it_prints_nothing(front_end, settings, capfd, recwarn):
    front_end(**settings)(torch.zeros(5000))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


# Trainable


@pytest.mark.parametrize("front_end, settings", TRAINABLE, ids=spell)
@on_each_device
def test_trainable_starts_as_the_frozen_direct_engine(front_end, settings, device, music):
    x = music[0].to(device)
    transform = front_end(**settings, trainable=True).to(device)
    parameters = list(transform.parameters())
    assert parameters and all(p.requires_grad and p.device.type == device for p in parameters)
    fixed = {} if front_end in (LEAF, SincNet) else {"engine": "direct"}
    assert error(transform(x), front_end(**settings, **fixed).to(device)(x)) < 1e-5


@pytest.mark.parametrize("front_end, settings", TRAINABLE, ids=spell)
def test_what_was_trained_is_saved(front_end, settings, music):
    trained, fresh = (front_end(**settings, trainable=True) for _ in range(2))
    optimiser = torch.optim.SGD(trained.parameters(), lr=1e-3)
    before = trained(music[0]).detach()
    trained(music[0]).mean().backward()
    assert all(p.grad.abs().max() > 0 for p in trained.parameters())
    optimiser.step()
    after = trained(music[0]).detach()
    assert not torch.equal(after, before)
    file = io.BytesIO()
    torch.save(trained.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(fresh(music[0]), after)


@each([ROWS[name] for name in ("linear-512", "log-2048", "mel-512-128", "mel-2048-256", "cqt-12", "cqt-48")])
def test_a_row_starts_as_the_frozen_direct_engine_and_is_frozen_as_it_is(representation, music):
    """As the sweep makes it: with the taps that a window can meet, and a bank that stays above 0."""
    trained = representation.transform(16384, trainable=True)
    assert error(trained(music[:2]), representation.transform(engine="direct")(music[:2])) < 1e-5
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * parameter.abs().max() * torch.randn_like(parameter))
    frozen = trained.frozen()
    assert not frozen.state_dict() and not any(True for _ in frozen.parameters())
    assert error(frozen(music[:2]), trained(music[:2]).detach()) < 1e-5
    assert error(frozen(music[:2]), representation.transform()(music[:2])) > 0.01


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@each(list(ROWS.values()))
def test_every_row_starts_as_the_frozen_direct_engine(representation, music):
    x = music[:2].cuda()
    with torch.no_grad():
        expected = representation.transform(engine="direct")(x)
        trained = representation.transform(16384, trainable=True).cuda()
        assert error(trained(x), expected) < 1e-5
        frozen = trained.frozen("fast")
        assert error(frozen(x), expected) < 1e-3


def test_taps_that_no_sample_meets_are_not_stored(music):
    whole, short = (CQT(n_bins=24, trainable=True, max_samples=samples) for samples in (None, 3000))
    stored = [sum(parameter.numel() for parameter in front_end.parameters()) for front_end in (whole, short)]
    assert stored[1] == 2 * 24 * 6000 < stored[0] / 2
    assert error(short(music[0, :3000]), whole(music[0, :3000])) < 1e-6
    with pytest.raises(ValueError, match="a clip of 3001 samples .* max_samples is 3000; choose a larger max_samples"):
        short(music[0, :3001])


def test_a_bank_that_stays_above_0_learns_below_it():
    mel = MelSpectrogram(n_fft=256, n_mels=20, trainable="bank", nonnegative=True)
    with torch.no_grad():
        mel.bank.fill_(-1.0)
    y = mel(torch.randn(2, 4096))
    assert not y.any()
    y.sum().backward()
    assert (mel.bank.grad > 0).all()


def test_nothing_to_freeze_is_named():
    with pytest.raises(ValueError, match="CQT.frozen: it has no parameters; use it as it is"):
        CQT(n_bins=12).frozen()
    stft = STFT(n_fft=256, output="complex", trainable=True).frozen()
    with pytest.raises(ValueError, match="trained kernels have no inverse"):
        stft.inverse(stft(torch.randn(4096)))


def test_parts_of_a_mel_spectrogram_are_trained_alone():
    shapes = {
        part: {tuple(p.shape) for p in MelSpectrogram(n_fft=256, n_mels=20, trainable=part).parameters()}
        for part in (False, True, "bank", "kernels")
    }
    assert shapes[False] == set()
    assert shapes["bank"] == {(20, 129)}
    assert shapes[True] == shapes["bank"] | {(2, 129, 256)}
    assert len(shapes["kernels"]) == 1 and shapes["bank"].isdisjoint(shapes["kernels"])


# Precision


@every
@on_each_device
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_autocast_changes_nothing(front_end, settings, dtype, device, music):
    transform, x = front_end(**settings).to(device), music[:2].to(device)
    expected = transform(x)
    with torch.autocast(device, dtype=dtype):
        actual = transform(x)
        # Half precision in, float32 out.
        assert transform(x.to(dtype)).dtype == expected.dtype
    assert actual.dtype == expected.dtype and torch.equal(actual, expected)


@pytest.mark.parametrize("front_end, settings", TRAINABLE, ids=spell)
def test_autocast_changes_nothing_while_training(front_end, settings, music):
    transform = front_end(**settings, trainable=True)
    expected = transform(music[:2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = transform(music[:2])
    assert actual.dtype == torch.float32 and torch.equal(actual, expected)


@every
def test_the_modules_own_precision_does_not_matter(front_end, settings, music):
    """A frozen front-end inside a model that is cast follows its input, not the model."""
    expected = front_end(**settings)(music[0])
    for cast in (front_end(**settings).half(), front_end(**settings).double(), front_end(**settings).bfloat16()):
        assert torch.equal(cast(music[0]), expected)
