"""Cepstral coefficients, as a front-end and as a row's steps: against librosa, nnAudio, torchaudio's formula, SciPy."""

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, SHARED, synthesised_music
from definition import fft
from definition import mel_bank as defined_bank
from numpy.testing import assert_allclose
from test_multiply_adds import Counter
from torch.autograd import gradcheck

from sweep import filters, row
from sweep.testing import check_family
from sweep.transforms import MFCC, MelSpectrogram


def defined(x: np.ndarray, n_mfcc=20, n_fft=2048, hop=512, n_mels=128, amin=1e-10, top_db=80.0) -> np.ndarray:
    """(clips, samples) -> (clips, n_mfcc, frames): sum by sum, in float64."""
    mel = defined_bank(SAMPLE_RATE, n_fft, n_mels, 0.0, SAMPLE_RATE / 2) @ np.abs(fft(x, n_fft, hop, "reflect")) ** 2
    y = 10 * np.log10(np.maximum(mel, amin))
    y = np.maximum(y, y.max((1, 2), keepdims=True) - top_db)
    k, n = np.arange(n_mfcc)[:, None], np.arange(n_mels)
    rows = np.cos(np.pi * k * (2 * n + 1) / (2 * n_mels)) * np.where(k == 0, 1, 2**0.5) / n_mels**0.5
    return rows @ y


# The transform of the bands


def test_the_cosine_transform_is_scipys():
    scipy = pytest.importorskip("scipy.fft")
    for bands in (1, 2, 40, 128):
        expected = scipy.dct(np.eye(bands), axis=0, norm="ortho")
        assert_allclose(filters.dct_matrix(bands, bands), expected, atol=1e-14)
        assert_allclose(
            filters.dct_matrix(bands, bands) @ filters.dct_matrix(bands, bands).T, np.eye(bands), atol=1e-13
        )
    assert_allclose(filters.dct_matrix(3, 40), scipy.dct(np.eye(40), axis=0, norm="ortho")[:3], atol=1e-14)


def test_a_cosine_over_the_bands_is_one_coefficient():
    bands = 3.0 * np.cos(np.pi * 5 * (np.arange(64) + 0.5) / 64)
    found = filters.dct_matrix(20, 64) @ bands
    assert found[5] == pytest.approx(3 * 32**0.5) and np.abs(np.delete(found, 5)).max() < 1e-13


# The front-end


@pytest.mark.parametrize("options", [{}, {"engine": "direct"}, {"accuracy": "exact"}, {"accuracy": "fast"}], ids=str)
def test_the_definition(options, music):
    x = music[:3].double().numpy()
    expected, front_end = defined(x), MFCC(**options)
    assert_allclose(front_end(torch.from_numpy(x)).numpy(), expected, atol=1e-11)  # 5e-13
    # Rounding in bands 80 dB below the loudest, 6e-4; a coefficient is up to 500.
    assert_allclose(front_end(music[:3]).numpy(), expected, atol=1e-3)
    assert not front_end.frequencies.any() and front_end.n_bins == 20 == len(front_end.frequencies)


def test_at_a_lower_rate(music):
    """The relative error of a power, 1e-3 at "fast", is 4e-3 dB at most; 5e-5 measured."""
    numbers = {"f_max": 4000.0, "top_db": 40.0, "n_mels": 40}
    fast = MFCC(**numbers, accuracy="fast")
    assert fast.hop < 512
    assert_allclose(fast(music[:2]).numpy(), MFCC(**numbers)(music[:2].double()).numpy(), atol=2e-4)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lifter": 22, "n_mfcc": 13},
        {"n_fft": 1024, "hop_length": 300, "n_mels": 40, "power": 1.0, "center": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_librosas(pad_mode, options, music):
    """Its bank is float32: 6e-7; in float32, both round by 6e-4."""
    librosa = pytest.importorskip("librosa")
    ours = MFCC(pad_mode=pad_mode, **options)
    for x in music[:2].double():
        expected = librosa.feature.mfcc(y=x.numpy(), sr=SAMPLE_RATE, pad_mode=pad_mode, **options)
        assert_allclose(ours(x).numpy(), expected, atol=2e-6 * (1 + options.get("lifter", 0) / 2))


def test_htks_scale_is_librosas_too(music):
    librosa = pytest.importorskip("librosa")
    expected = librosa.feature.mfcc(y=music[0].double().numpy(), sr=SAMPLE_RATE, htk=True, fmin=30, fmax=8000)
    ours = MFCC(mel_scale="htk", f_min=30.0, f_max=8000.0, pad_mode="constant")
    assert_allclose(ours(music[0].double()).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("library", ["nnAudio", "nnAudio2"])
@pytest.mark.parametrize("options", [{}, {"top_db": None, "amin": 1e-6, "ref": 0.1, "n_mfcc": 30}], ids=str)
def test_nnaudios(library, options, music):
    """Its cut-off is each clip's own, as ours. It computes in float32: 1.4e-4 from our float64."""
    features = pytest.importorskip(f"{library}.features")
    expected = features.MFCC(sr=SAMPLE_RATE, verbose=False, **options)(music[:3]).numpy()
    assert_allclose(MFCC(**options)(music[:3].double()).numpy(), expected, atol=1e-3)
    assert_allclose(MFCC(**options)(music[:3]).numpy(), expected, atol=2e-3)


def test_what_nnaudio_made_of_a_recording():
    path = SHARED / "systems" / "nnaudio_mfcc.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    system = dict(np.load(path))
    x, frames = torch.from_numpy(system["input"]), system["frame_index"]
    for dtype, bar in ((torch.float64, 1.5e-4), (torch.float32, 7e-4)):  # 7.5e-5 and 3.4e-4 of coefficients up to 508
        made = MFCC(sample_rate=22050)(x.to(dtype)).numpy()
        assert made.shape[-1] == len(system["times"])
        assert_allclose(made[:, frames], system["output"], atol=bar)


def test_torchaudios_formula(music):
    """AmplitudeToDB("power", 80) of its Mel, HTK's with peaks of 1, and create_dct(norm="ortho"); log_mels likewise."""
    k, n = torch.arange(40.0, dtype=torch.float64)[:, None], torch.arange(128.0, dtype=torch.float64)
    rows = torch.cos(torch.pi / 128 * (n + 0.5) * k)
    rows[0] /= 2**0.5
    rows *= (2 / 128) ** 0.5
    htk = {"mel_scale": "htk", "norm": None}
    x = music[:2].double()
    mel = MelSpectrogram(**htk)(x)
    decibels = 10 * mel.clamp(min=1e-10).log10()
    decibels = torch.stack([clip.maximum(clip.max() - 80) for clip in decibels])
    assert_allclose(MFCC(n_mfcc=40, **htk)(x).numpy(), (rows @ decibels).numpy(), atol=1e-9)
    logarithms = torch.from_numpy(filters.dct_matrix(40, 128)) @ MelSpectrogram(**htk).log(x, 1e-6)
    assert_allclose(logarithms.numpy(), (rows @ (mel + 1e-6).log()).numpy(), atol=1e-9)


def test_each_clip_has_its_own_maximum(music):
    clips = music[0] * torch.tensor([1.0, 1e-3])[:, None]
    together, alone = MFCC()(clips), torch.stack([MFCC()(clip) for clip in clips])
    assert torch.equal(together, alone)
    # A factor moves coefficient 0 alone, by its decibels, as long as neither amin nor the cut-off is met otherwise.
    steps = MFCC(amin=1e-30)(music[0].double() * torch.tensor([1.0, 1e-3], dtype=torch.float64)[:, None])
    assert_allclose((steps[1] - steps[0])[0], -60 * 128**0.5, atol=1e-9)
    assert_allclose((steps[1] - steps[0])[1:], 0, atol=1e-9)


def test_frames_that_do_not_count_do_not_set_the_maximum():
    """A click next to the end, which only a frame beyond the last whole one would hear in full."""
    x = 1e-3 * torch.randn(4096 + 300, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[-1] = 100.0
    assert_allclose(MFCC(center=False)(x).numpy(), MFCC(center=False)(x[:4096]).numpy(), atol=1e-10)


@pytest.mark.parametrize("amplitude", [1e-36, 1e-21, 1e15])
def test_quiet_and_loud_clips(amplitude, music):
    """Power that leaves float32 does not leave decibels: amin is 1e-35 there."""
    x = (music[:1] * amplitude).float()
    for amin in (1e-10, 1e-35):
        front_end = MFCC(amin=amin)
        assert_allclose(
            front_end(x).numpy(), front_end(x.double()).numpy(), atol=1e-2
        )  # 6e-3 of coefficients up to 4,000


# As a module


@pytest.mark.parametrize("options", [{}, {"top_db": None}, {"engine": "direct", "lifter": 5}, {"center": False}])
def test_gradients_by_finite_differences(options):
    numbers = {"sample_rate": 8000, "n_fft": 32, "hop_length": 24, "n_mels": 6, "n_mfcc": 4, "f_min": 300.0}
    x = torch.randn(2, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert gradcheck(MFCC(**numbers, **options), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("options", [{}, {"trainable": True, "n_fft": 256, "n_mels": 20}, {"amin": 1e-35}], ids=str)
def test_silence_is_amin_and_its_gradient_finite(options, dtype):
    front_end = MFCC(**options)
    x = torch.zeros(2, 4096, dtype=dtype)
    x[1, 3000:] = torch.from_numpy(synthesised_music()[:1096])
    x.requires_grad_()
    y = front_end(x)
    y.sum().backward()
    level, bands = 10 * np.log10(front_end.amin), front_end.n_mels
    assert_allclose(y[0, 0].detach(), level * bands**0.5, rtol=1e-5)
    assert_allclose(y[0, 1:].detach(), 0, atol=1e-5 * bands * abs(level))
    assert x.grad.isfinite().all() and not x.grad[0].any() and x.grad[1].any()
    assert all(p.grad.isfinite().all() for p in front_end.parameters())


@pytest.mark.parametrize("trainable", [True, "bank", "kernels"])
def test_what_was_trained_is_frozen_as_it_is(trainable, music):
    numbers = {"n_fft": 512, "n_mels": 30, "n_mfcc": 12}
    trained = MFCC(**numbers, trainable=trainable, nonnegative=True)
    names = {name.partition(".")[0] for name in trained.state_dict()}
    assert names == {True: {"bank", "engine"}, "bank": {"bank"}, "kernels": {"engine"}}[trainable]
    assert (trained.trainable_bank() is None) == (trainable == "kernels")
    assert_allclose(trained(music[0]).detach(), MFCC(**numbers)(music[0]), atol=5e-3)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * parameter.abs().max() * torch.rand_like(parameter))
    frozen = trained.frozen()
    assert type(frozen) is MFCC and not frozen.state_dict()
    assert_allclose(frozen(music[0]), trained(music[0]).detach(), atol=5e-3)
    assert float((frozen(music[0]) - MFCC(**numbers)(music[0])).abs().max()) > 1


def test_the_cost_is_what_pytorch_carries_out():
    front_end, clip = MFCC(), torch.randn(1, 16384)
    with torch.no_grad():
        front_end(clip)
        with Counter() as counter:
            front_end(clip)
    assert front_end.multiply_adds(16384) == pytest.approx(counter.total, rel=0.04)  # squares are not counted: 3.1 %


def test_a_logarithm_of_coefficients_is_refused():
    with pytest.raises(ValueError, match="MFCC.log: cepstral coefficients may be negative; call the front-end itself"):
        MFCC().log(torch.zeros(4096), 1e-5)


# As steps of a row


def test_a_row_of_mel_decibels_and_the_cosine_transform_is_the_front_end(music):
    it = row("mfcc-20")
    assert (it.n_channels, it.bins, it.n_bins) == (1, 20, 128) and not it.frequencies.any()
    torch.testing.assert_close(it.features(music[:2]), MFCC()(music[:2]), rtol=0, atol=0)
    liftered = row("mfcc-20", stack={"name": "dct", "n_bins": 13, "lifter": 22})
    torch.testing.assert_close(liftered.features(music[:2]), MFCC(n_mfcc=13, lifter=22)(music[:2]), rtol=0, atol=0)
    check_family(it)


def test_each_channel_is_transformed_by_itself(music):
    parts = [{"n_fft": 1024, "n_mels": 64}, {"n_fft": 4096, "n_mels": 64}]
    it = row("mfcc-20", n_mels=64, parts=parts)
    assert (it.n_channels, it.bins) == (2, 20)
    found = it.features(music[0])
    for channel, part in zip(found, parts, strict=True):
        # The cut-off is that of both channels, and here the same to 6 dB: only the lowest values differ.
        assert float((channel - MFCC(**part)(music[0])).abs().median()) < 0.5


def test_what_a_stack_of_coefficients_cannot_do():
    for changes, said in (
        ({"stack": {"name": "dct", "n_bins": 129}}, "stack.n_bins 129: there are 128 bins; choose that or fewer"),
        ({"parts": [{}, {}], "join": "bins"}, "stack dct: is of one part's bins, and 2 lie beside each other"),
        ({"stack": {"name": "dct", "n_bins": 20, "lifter": -1.0}}, "lifter -1.0: needs a number of at least 0"),
    ):
        with pytest.raises(ValueError, match=said):
            row("mfcc-20", **changes)
