"""The FFT's grid on a CPU, some frames at a time, against torch.stft and autograd in float64."""

import numpy as np
import pytest
import torch

from sweep.engines import blocks, grid, slices, spectral
from sweep.engines.finish import Finish
from sweep.transforms import CQT, STFT, Gammatone, MelSpectrogram
from sweep.transforms.transform import Transform

SAMPLES = 6000
SMALL = {"sample_rate": 8000, "hop_length": 64, "n_fft": 256}
FRONT_ENDS = {
    "magnitude": STFT(**SMALL),
    "power": STFT(**SMALL, output="power", pad_mode="constant"),
    "some bins": STFT(**SMALL, n_bins=40, first_bin=5),
    "whole frames": STFT(**SMALL, center=False),
    "odd hop": STFT(sample_rate=8000, hop_length=50, n_fft=130, win_length=101),
    "hop beyond the window": STFT(sample_rate=8000, hop_length=300, n_fft=128),
    "mel": MelSpectrogram(**SMALL, n_mels=20),
    "mel of magnitudes": MelSpectrogram(**SMALL, n_mels=70, power=1.0),
    "mel of a power": MelSpectrogram(**SMALL, n_mels=20, power=1.5, pad_mode="constant"),
    "gammatone": Gammatone(**SMALL, n_bands=12),
}


@pytest.fixture(params=[1, 3000, 20_000, 10**7], ids="{} bytes".format)
def chunk(monkeypatch, request):
    """Cut the work into frames, parts of clips, clips and not at all."""
    monkeypatch.setattr(grid, "_CHUNK", request.param)


def clips(dtype=torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, SAMPLES, generator=generator, dtype=torch.float64).to(dtype)
    x[1, 2000:] = 0  # falls silent
    return x


def plain(front_end: Transform, x: torch.Tensor) -> torch.Tensor:
    """What a front-end is, by torch.stft and a whole product, for a gradient by autograd."""
    n_fft, window = front_end.n_fft, torch.from_numpy(front_end.window.taps()).to(x)
    if front_end.center:
        x = torch.nn.functional.pad(x, (n_fft // 2, n_fft // 2), mode=front_end.pad_mode)
    stft = torch.stft(x, n_fft, front_end.hop_length, window=window, center=False, return_complex=True)
    square = stft.real**2 + stft.imag**2
    silent = square == 0
    values = square.masked_fill(silent, 1.0) ** (front_end.exponent / 2)
    values = values.masked_fill(silent, 0.0)
    if isinstance(front_end, STFT):
        return values[:, front_end.first_bin : front_end.first_bin + front_end.n_bins]
    return torch.from_numpy(front_end._bank).to(x) @ values[:, front_end.used]


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_values_and_gradients(name, chunk):
    front_end, x = FRONT_ENDS[name], clips().requires_grad_()
    exact = x.detach().double().requires_grad_()
    expected, found = plain(front_end, exact), front_end(x)
    assert found.dtype == torch.float32 and found.shape == expected.shape
    # Relative L2 of float32's rounding: at most 2e-7 measured for values, 4e-7 for gradients.
    assert (found - expected).norm() < 4e-7 * expected.norm()
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (wanted,) = torch.autograd.grad(expected, exact, weights)
    (gradient,) = torch.autograd.grad(found, x, weights.float())
    assert gradient.isfinite().all()
    assert (gradient - wanted).norm() < 8e-7 * wanted.norm()
    with torch.no_grad():
        assert torch.equal(front_end(x), found)
        assert torch.allclose(front_end.log(x, 1e-5), torch.log(found + 1e-5), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_every_bit_is_that_of_all_frames_at_once(name, chunk):
    front_end, x = FRONT_ENDS[name], clips()
    if not front_end.center:
        x = torch.nn.functional.pad(x, (front_end._first_whole_frame()[0], 0))
    window, bank = front_end.window.on(x), front_end._weights(x) if hasattr(front_end, "_weights") else None
    whole = front_end._grid.at_once(x, window, bank)
    found = front_end._grid.in_blocks(x, window, bank, Finish()).transpose(1, 2)
    if bank is None or grid._CHUNK > 3000:
        assert torch.equal(found, whole)
    else:  # a product of one frame, or of two, is summed in another order
        assert torch.allclose(found, whole, rtol=1e-6, atol=0)


def test_a_lower_rate(chunk):
    x = clips().requires_grad_()
    settings = {"sample_rate": 44100, "f_max": 4000.0, "n_mels": 40, "pad_mode": "constant"}
    fast, exact = MelSpectrogram(**settings, accuracy="fast"), MelSpectrogram(**settings)
    assert fast.hop < 512
    found, expected = fast(x), plain(exact, x)
    assert (found - expected).norm() < 1e-3 * expected.norm()  # what "fast" promises
    weights = torch.rand(expected.shape, generator=torch.Generator().manual_seed(1))
    (gradient,), (wanted,) = (torch.autograd.grad(values, x, weights) for values in (found, expected))
    assert (gradient - wanted).norm() < 2e-3 * wanted.norm()  # 5e-4 measured: it is as far off as the values


@pytest.mark.parametrize("name", ["magnitude", "mel", "mel of a power"])
def test_a_second_derivative(name):
    front_end, x = FRONT_ENDS[name], clips(torch.float64)[:1, :400].requires_grad_()

    def penalty(values: torch.Tensor) -> torch.Tensor:
        (first,) = torch.autograd.grad(values.square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    assert torch.allclose(penalty(front_end(x)), penalty(plain(front_end, x)), rtol=1e-8, atol=1e-8)


def test_digital_silence_has_no_gradient(chunk):
    x = torch.zeros(2, SAMPLES, requires_grad=True)
    for front_end in FRONT_ENDS.values():
        (gradient,) = torch.autograd.grad(front_end(x).sum(), x)
        assert (gradient == 0).all()


def test_the_graph_keeps_the_spectra_alone():
    front_end, x, kept = FRONT_ENDS["mel of a power"], clips().requires_grad_(), {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        values = front_end(x)
    spectra = 8 * len(x) * values.shape[-1] * (SMALL["n_fft"] // 2 + 1)
    assert sum(kept.values()) <= spectra + x.nbytes + 8 * SMALL["n_fft"]


def test_the_number_of_threads_may_change_before_the_backward_pass():
    front_end, x = FRONT_ENDS["magnitude"], clips().requires_grad_()
    (expected,) = torch.autograd.grad(front_end(x).sum(), x)
    values, threads = front_end(x), torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        (gradient,) = torch.autograd.grad(values.sum(), x)
    finally:
        torch.set_num_threads(threads)
    assert torch.allclose(gradient, expected, rtol=0, atol=1e-5)


def test_a_bank_in_blocks_and_its_transpose():
    bank = np.triu(np.tril(np.random.default_rng(0).random((50, 60)), 3))  # bands of four points
    parts = blocks.blocks_on(torch.empty(0, dtype=torch.float64), blocks.blocks_of(bank, 8))
    values, by_bands = torch.rand(2, 5, 60, dtype=torch.float64), torch.rand(2, 5, 50, dtype=torch.float64)
    points = parts[-1][1]  # beyond the last band's none is used
    out = torch.empty(2, 5, 50, dtype=torch.float64)
    for found in (blocks.product(values, parts), blocks.product(values, parts, out), out):
        assert np.allclose(found.numpy(), values.numpy() @ bank.T)
    assert np.allclose(blocks.product_back(by_bands, parts).numpy(), by_bands.numpy() @ bank[:, :points])


def test_one_fft_serves_shorter_ones(monkeypatch):
    x, taken = torch.randn(2, 16_384), []
    engine = CQT(n_bins=200, bins_per_octave=24).engine.parts(x.device)[0]
    plans, _ = engine._plans(x)
    assert [plan.folded for plan in plans] == [96, 64, 48]
    expected = torch.cat([plan(plan.spectrum(x), True) for plan in plans])
    spectrum = slices.Plan.spectrum
    monkeypatch.setattr(slices.Plan, "spectrum", lambda plan, x: taken.append(plan.folded) or spectrum(plan, x))
    found = torch.cat(spectral._evaluated(plans, x, True))
    assert taken == [96, 64]
    assert (found - expected).norm() < 1e-6 * expected.norm()  # 1e-7 measured: float32's rounding
