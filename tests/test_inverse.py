"""STFT.inverse gives back what went in, at any setting that allows it, and says where one does not."""

import copy
import pickle

import numpy as np
import pytest
import torch
from conftest import DEVICES
from definition import relative_l2
from scipy import signal
from torch.autograd import gradcheck

from sweep.transforms import STFT

WINDOWS = ("hann", "hamming", "blackman", "boxcar")
on_each_device = pytest.mark.parametrize("device", DEVICES)


# What float32 and float64 can tell: a sample whose squared windows sum to less is refused.
LEAST = {torch.float32: 4e-3, torch.float64: 1e-12}


def settings(seed: int) -> tuple[dict, tuple[int, ...]]:
    """Numbers of an STFT and the shape of a batch at random, hops from n_fft / 32 to a little more than n_fft."""
    rng = np.random.default_rng(seed)
    n_fft = 2 * int(rng.integers(4, 1025))
    hop_length = int(n_fft * 2 ** rng.uniform(-5, 0.1))
    pad_mode = ("reflect", "constant")[int(rng.integers(2))]
    samples = int(rng.integers(n_fft // 2 + 1 if pad_mode == "reflect" else 1, 6 * n_fft))
    leading = [(), (1,), (3,), (2, 2), (1, 3, 1)][int(rng.integers(5))]
    numbers = {"n_fft": n_fft, "hop_length": max(1, hop_length), "window": WINDOWS[int(rng.integers(4))]}
    return {**numbers, "pad_mode": pad_mode}, (*leading, samples)


def least_covered(n_fft: int, hop_length: int, window: str, samples: int) -> float:
    """The least sum of squared windows over a clip, frame by frame."""
    squared, total = signal.get_window(window, n_fft) ** 2, np.zeros(samples + 2 * n_fft)
    for centre in range(0, samples + 1, hop_length):
        total[centre : centre + n_fft] += squared
    return total[n_fft // 2 : n_fft // 2 + samples].min()


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    samples = expected.shape[-1]
    return relative_l2(actual.cpu().reshape(-1, samples), expected.cpu().reshape(-1, samples).numpy())


@on_each_device
@pytest.mark.parametrize("dtype, bar", [(torch.float32, 1e-6), (torch.float64, 1e-10)], ids=str)
def test_200_random_settings(dtype, bar, device):
    """Those that allow it come back, those that do not are refused, and nothing lies between."""
    came_back = refused = 0
    while came_back < 200:
        numbers, shape = settings(came_back + refused)
        x, stft = noise(*shape, dtype=dtype).to(device), STFT(**numbers, output="complex")
        covered = least_covered(numbers["n_fft"], numbers["hop_length"], numbers["window"], shape[-1])
        if covered < LEAST[dtype]:
            with pytest.raises(ValueError, match="too little to tell it"):
                stft.inverse(stft(x), length=shape[-1])
            refused += 1
            continue
        y = stft.inverse(stft(x), length=shape[-1])
        assert (y.shape, y.dtype, y.device.type) == (shape, dtype, torch.device(device).type)
        assert error(y, x) < bar, numbers  # 7e-7 and 1e-12 the worst of 700, 1.5e-7 and 3e-16 in the middle
        came_back += 1
    assert refused > 10


def test_twice_in_a_row_and_in_other_lengths():
    stft = STFT(n_fft=512, hop_length=128, output="complex")
    for samples in (3000, 2048, 3000, *range(1000, 2000, 100), 3000):  # more than tables are kept
        x = noise(2, samples)
        y = stft.inverse(stft(x), length=samples)
        assert error(y, x) < 1e-6
        assert error(stft.inverse(stft(y), length=samples), x) < 2e-6


@pytest.mark.parametrize(
    "n_fft, hop_length, window", [(512, 128, "hann"), (1024, 300, "hamming"), (256, 1, "blackman")]
)
def test_length(n_fft, hop_length, window):
    """None goes up to the last frame's centre; any other trims, and reaches as far as the frames do."""
    stft = STFT(n_fft=n_fft, hop_length=hop_length, window=window, output="complex")
    x = noise(2, 2222)
    spectrum = stft(x)
    whole = stft.inverse(spectrum)
    assert whole.shape == (2, hop_length * (spectrum.shape[-1] - 1))
    assert error(whole, x[:, : whole.shape[1]]) < 1e-6
    for length in (0, 1, 7, 1000, 2222):
        assert torch.equal(stft.inverse(spectrum, length=length), stft.inverse(spectrum, length=2222)[:, :length])


def test_one_length_out_of_fewer_frames_and_of_more():
    """The same samples, whether frames lie beyond them or not."""
    stft, x = STFT(n_fft=512, hop_length=128, output="complex", pad_mode="constant"), noise(2, 3000)
    for clip in (x, x[:, :1000], x):
        assert error(stft.inverse(stft(clip), length=1000), x[:, :1000]) < 1e-6


def test_a_clip_shorter_than_a_frame():
    stft = STFT(n_fft=1024, hop_length=512, output="complex", pad_mode="constant")
    x = noise(3, 5)
    assert stft(x).shape[-1] == 1 and stft.inverse(stft(x)).shape == (3, 0)
    assert error(stft.inverse(stft(x), length=5), x) < 1e-6


def test_an_empty_batch():
    stft = STFT(n_fft=64, hop_length=16, output="complex")
    assert stft.inverse(torch.zeros(0, 2, 33, 5, dtype=torch.complex64)).shape == (0, 2, 64)


# What no waveform has: torch gives the same nearest one


def changed(n_fft: int, frames: int) -> torch.Tensor:
    """A spectrum that is nobody's, real where a real frame's has to be: at 0 Hz and half the sample rate."""
    spectrum = torch.complex(*noise(2, 2, n_fft // 2 + 1, frames, dtype=torch.float64))
    spectrum[:, [0, -1]] = spectrum[:, [0, -1]].real.to(spectrum.dtype)
    return spectrum


@pytest.mark.parametrize("window", ["hann", "hamming", "boxcar"])
@pytest.mark.parametrize("n_fft, hop_length, length", [(512, 128, None), (512, 200, 3000), (400, 100, 1000)])
def test_torch_istft(n_fft, hop_length, length, window):
    spectrum = changed(n_fft, 17)
    taps = {"hann": torch.hann_window, "hamming": torch.hamming_window, "boxcar": torch.ones}[window]
    taps = taps(n_fft, dtype=torch.float64)
    expected = torch.istft(spectrum, n_fft, hop_length, window=taps, length=length)
    y = STFT(n_fft=n_fft, hop_length=hop_length, window=window).inverse(spectrum, length=length)
    assert y.shape == expected.shape and error(y, expected) < 1e-14


# As a module's other half


@on_each_device
def test_by_the_other_engines(device):
    x = noise(2, 3000, dtype=torch.float64).to(device)
    for engine, bar in (("direct", 1e-12), ("spectral", 1e-4)):
        stft = STFT(n_fft=256, hop_length=64, engine=engine, output="complex")
        assert error(stft.inverse(stft(x), length=3000), x) < bar


@pytest.mark.parametrize("hop_length", [3, 4, 7])
def test_by_finite_differences(hop_length):
    stft = STFT(n_fft=16, hop_length=hop_length)
    assert gradcheck(lambda real, imag: stft.inverse(torch.complex(real, imag), length=20), tuple(parts()))
    assert gradcheck(lambda x: stft.inverse(STFT(n_fft=16, hop_length=hop_length, output="complex")(x)), clip())


def parts() -> list[torch.Tensor]:
    return [part.requires_grad_() for part in noise(2, 2, 9, 9, dtype=torch.float64)]


def clip() -> torch.Tensor:
    return noise(2, 30, dtype=torch.float64).requires_grad_()


def test_autocast_copies_and_the_state_dict():
    stft = STFT(n_fft=256, hop_length=64, output="complex")
    spectrum = stft(noise(2, 1000))
    expected = stft.inverse(spectrum)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(stft.inverse(spectrum), expected)
    for other in (copy.deepcopy(stft), pickle.loads(pickle.dumps(stft)), stft.half()):
        assert torch.equal(other.inverse(spectrum), expected)
    assert stft.state_dict() == {}


def test_trained_after_inference_mode():
    stft = STFT(n_fft=256, hop_length=64, output="complex")
    with torch.inference_mode():
        stft.inverse(stft(noise(1000)))
    x = noise(1000).requires_grad_()
    stft.inverse(stft(x)).square().sum().backward()
    assert error(x.grad[None, :900], 2 * x.detach()[None, :900]) < 1e-5


@on_each_device
def test_compiled(device):
    torch._dynamo.reset()
    stft = STFT(n_fft=256, hop_length=100, output="complex")
    compiled = torch.compile(lambda x: stft.inverse(stft(x), length=x.shape[-1]), backend="aot_eager")
    for samples in (3000, 2000):
        x = noise(2, samples).to(device)
        assert error(compiled(x), x) < 1e-6


# What it cannot do it says


def message(spectrum: torch.Tensor | None = None, length=None, **numbers) -> str:
    stft = STFT(**{"n_fft": 64, "hop_length": 16, **numbers})
    spectrum = torch.zeros(stft.n_bins, 9, dtype=torch.complex64) if spectrum is None else spectrum
    with pytest.raises(ValueError) as caught:
        stft.inverse(spectrum, length=length)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 250
    return text


@pytest.mark.parametrize(
    "numbers, parts",
    [
        ({"scale": "log"}, ["scale", "'log'", 'choose scale="fft"', "33 bins"]),
        ({"scale": "linear", "n_bins": 33}, ["scale", "'linear'", 'choose scale="fft"']),
        ({"n_bins": 32}, ["n_bins", "32", "33 bins"]),
        ({"trainable": True}, ["trainable", "True", "trainable=False"]),
        ({"spectrum": torch.zeros(33, 9)}, ["float32", 'output="complex"']),
        ({"spectrum": torch.zeros(9, 33, dtype=torch.complex64)}, ["(9, 33)", "(..., 33, frames)"]),
        ({"spectrum": torch.zeros(33, dtype=torch.complex64)}, ["(33,)", "(..., 33, frames)"]),
        ({"spectrum": torch.zeros(33, 0, dtype=torch.complex64)}, ["(33, 0)", "one at least"]),
        ({"length": -1}, ["length", "-1", "whole number"]),
        ({"length": 3.5}, ["length", "3.5", "whole number"]),
        # Hann is low where its next copy begins; with gaps no window covers them; past the last frame lies nothing.
        ({"hop_length": 64}, ["'hann'", "n_fft 64", "hop_length 64", "sample 27", "shorter hop_length", "at most 27"]),
        ({"hop_length": 70, "window": "boxcar"}, ["'boxcar'", "n_fft 64", "hop_length 70", "sample 32", "0.0e+00"]),
        ({"length": 170}, ["n_fft 64", "hop_length 16", "a length of at most 15"]),
    ],
    ids=str,
)
def test_errors(numbers, parts):
    text = message(**numbers)
    assert [part for part in parts if part not in text] == [], text


def test_what_float32_hides_float64_tells():
    """Near the end of a Hann window that no other overlaps, the sum is small but not 0."""
    assert "float64" in message(hop_length=32, length=9 * 32 - 4)
    stft, x = STFT(n_fft=64, hop_length=32, output="complex"), noise(9 * 32 - 4, dtype=torch.float64)
    assert error(stft.inverse(stft(x), length=len(x))[None], x[None]) < 1e-12
    assert "float64" not in message(hop_length=64)


def test_whole_frames_reach_up_to_the_last_ones_end():
    """A clip that goes on beyond it does not come back in its own length, and the error says how much does."""
    stft, x = STFT(n_fft=64, hop_length=16, output="complex", center=False), noise(2, 70)
    assert stft.inverse(stft(x)).shape == (2, 64)
    with pytest.raises(ValueError, match="at sample 64 .* choose .* a length of at most 64"):
        stft.inverse(stft(x), length=70)


def test_the_boxcar_needs_no_overlap():
    stft, x = STFT(n_fft=64, hop_length=64, window="boxcar", output="complex"), noise(2, 640)
    assert error(stft.inverse(stft(x)), x) < 1e-6
