"""The cost of a front-end: the formula of each engine against the operations that PyTorch carries out."""

import math

import pytest
import torch
from configs import make_config
from torch.utils._python_dispatch import TorchDispatchMode

from sweep.training.building import build_frontend, build_transcriber, cost

WINDOW = 16384


class Counter(TorchDispatchMode):
    """Counts the multiply-adds of products and FFTs while it is active."""

    total = 0.0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        out = function(*arguments, **(options or {}))
        name = function.__name__.partition(".")[0]
        if name in ("mm", "bmm", "addmm"):
            self.total += out.numel() * arguments[1 if name == "addmm" else 0].shape[-1]
        elif name in ("_fft_r2c", "_fft_c2r"):
            real = arguments[0] if name == "_fft_r2c" else out
            self.total += real.numel() * 1.25 * math.log2(real.shape[-1])
        elif name == "mul" and out.is_complex():
            self.total += 4 * out.numel()
        elif name == "mul":
            self.total += out.numel()
        return out


def costs(config) -> dict[str, float]:
    """What a run says of its cost."""
    return cost(config, build_transcriber(config, None))


@pytest.mark.parametrize(
    "name",
    [
        "linear-256",  # direct
        "linear-2048",  # banded, at a lower rate
        "log-4096",
        "mel-512-128",
        "mel-4096-512",  # at a lower rate
        "cqt-12",  # direct and spectral
        "cqt-288",  # spectral
        pytest.param("cqt-24 representation.algorithm=2010v2", id="octaves"),
        pytest.param("cqt-24 representation.algorithm=1992", id="framed"),
        pytest.param("cqt-24 representation.algorithm=librosa", id="librosa"),
        pytest.param("cqt-24 representation.algorithm=nnaudio", id="nnaudio"),
        pytest.param("cqt-24 frontend.trainable=true", id="trained"),
        pytest.param("mel-512-128 frontend.trainable=true", id="trained-mel"),
    ],
)
def test_the_formula_is_what_pytorch_carries_out(name):
    frontend = build_frontend(make_config(*f"representation={name}".split()))
    clip = torch.randn(1, WINDOW)
    with torch.no_grad():
        frontend(clip)  # makes the tables
        with Counter() as counter:
            frontend(clip)
    # Squares of real and imaginary part are an addcmul or a hypot here; the formula has two for a bin and frame.
    assert frontend.multiply_adds(WINDOW) == pytest.approx(counter.total, rel=0.03)
    assert frontend.multiply_adds(2 * WINDOW) > 1.8 * frontend.multiply_adds(WINDOW)


def test_the_cost_of_a_run_is_that_of_a_second_of_audio():
    config = make_config("representation=cqt-24")
    found, frontend, estimates = costs(config), build_frontend(config), 44100 / 512
    assert found["frontend"] == pytest.approx(estimates * frontend.multiply_adds(WINDOW))
    # A linear layer from all bins and frames to 128 notes; the CNN's two convolutions and linear layer by hand.
    bins, frames = config.representation.n_bins, 1 + WINDOW // config.representation.hop_length
    assert found["model"] == pytest.approx(estimates * 128 * bins * frames)
    places = (bins - 128) // 2 + 1
    by_hand = places * frames * 128 * 128 + places * 256 * 128 * frames + 256 * places * 128
    assert costs(make_config("representation=cqt-24", "model=cnn"))["model"] == pytest.approx(estimates * by_hand)
    config = make_config("representation=cqt-24", "control=capacity", "control.width=40")
    assert costs(config)["model"] == pytest.approx(estimates * frames * (40 * bins + 128 * 40))


@pytest.mark.parametrize(("row", "kernel", "places"), [("mel-512-128", 3, 128), ("linear-2048", 11, 205)])
def test_a_segments_cost_is_shared_by_the_frames_that_are_taken_from_it(row, kernel, places):
    """Of 33 frames those from 4 to 28 lie an eighth of the segment or more from its ends."""
    keys = ["model.channels=4", "model.width=32", "model.reach=3", f"protocol.window={WINDOW}"]
    config = make_config("model=conv", f"representation={row}", *keys)
    found, seconds = costs(config), 25 * 512 / 44100
    assert found["frontend"] == pytest.approx(build_frontend(config).multiply_adds(WINDOW) / seconds)
    convolved = places * (3 * kernel * 4 + 9 * 4 * 4) + places // 2 * 9 * 4 * 8 + places // 4 * 9 * 8 * 8
    layers = 8 * (places // 8) * 32 + 3 * 32 * 32 + 2 * 32 * 128
    assert found["model"] == pytest.approx(33 * (convolved + layers) / seconds)


def test_the_cost_of_a_recurrence_is_that_of_its_products():
    """In each frame and direction: four gates, from the input and from the values before."""
    keys = ["model.channels=4", "model.width=32", "model.hidden=16", f"protocol.window={WINDOW}"]
    found = costs(make_config("model=crnn", "representation=mel-512-128", *keys))["model"] * 25 * 512 / 44100
    convolved = 128 * (9 * 4 + 9 * 4 * 4) + 64 * 9 * 4 * 8 + 32 * 9 * 8 * 8 + 8 * 16 * 32
    recurrent = sum(2 * 4 * 16 * (inputs + 16) for inputs in (32, 2 * 128))
    assert found == pytest.approx(33 * (2 * convolved + recurrent + 3 * 32 * 128))
