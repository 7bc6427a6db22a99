"""Every family of front-ends, by property: what each has to do, and the table of docs/library.md that says what it can.

Module behaviour (autocast, copies, compilation), tensors at the edges and exports are in test_module.py,
test_any_module.py, test_tensors.py, test_shapes.py and test_library.py, whose lists must hold every family too.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import test_library
import test_module
import test_shapes
import test_tensors
import torch
from conftest import ROOT, synthesised_music
from definition import constant_q, fft, fourier, inner_products, mel_bank, relative_l2
from definition import frames as framed
from test_band_spectrograms import triangles
from test_cfp import SMALL as CFP_SMALL
from test_cfp import defined as defined_cfp
from test_gammatone import weights
from test_learned import PUBLISHED, gabors, leaf, sincnet
from test_mfcc import defined as defined_mfcc
from test_vqt import summed as variable_q

from sweep import transforms
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

RATE = {"sample_rate": 8000, "hop_length": 64}
ZEROS = {**RATE, "pad_mode": "constant"}
HIGH = {**ZEROS, "f_min": 400.0, "n_bins": 13, "bins_per_octave": 6}
FREQUENCIES = 400.0 * 2 ** (np.arange(13) / 6)
LOG = {**ZEROS, "n_fft": 256, "scale": "log", "f_min": 100.0, "f_max": 3000.0, "n_bins": 40}
TAPS = [np.hanning(31) * np.exp(-2j * np.pi * f / 8000 * np.arange(31)) for f in (700.0, 1500.0)]
FEW = {"n_filters": 6, "filter_length": 61, "pool_length": 41}
GABORS = gabors(6, 8000, 60, 3900, 256)
CORNERS = 700 * (10 ** (np.linspace(np.log10(1 + 30 / 700), np.log10(1 + 3900 / 700), 7)) - 1)  # Hz
BARS = {"exact": 1e-5, "high": 1e-4, "fast": 1e-3}


@dataclass(frozen=True)
class Family:
    """A front-end at a small size.

    Attributes:
        build: its class.
        settings: numbers of a front-end; any length of a clip will do for them.
        define: (clips, samples) float64 -> values, summed up in the tests; None: its own tests have the definition.
        bar: error allowed at accuracy="exact".
    """

    build: type[transforms.transform.Transform]
    settings: dict[str, Any]
    define: Callable | None = None
    bar: float = field(default=1e-5, kw_only=True)

    def __call__(self, **options) -> transforms.transform.Transform:
        return self.build(**{**self.settings, **options})

    def takes(self, name: str) -> bool:
        return name in inspect.signature(self.build).parameters


def bands(bank: np.ndarray, power: float) -> Callable:
    return lambda x: bank @ np.abs(fft(x, 256, 64, "constant")) ** power


def by_taps(x: np.ndarray) -> np.ndarray:
    return np.abs(inner_products(framed(x, np.arange(31) - 15, 64, "constant"), np.array(TAPS)))


# The names are those of the table in docs/library.md.
FAMILIES = {
    "STFT()": Family(STFT, {**ZEROS, "n_fft": 256}, lambda x: np.abs(fft(x, 256, 64, "constant"))),
    'STFT(scale="log")': Family(
        STFT, LOG, lambda x: np.abs(fourier(x, 100 * 30 ** (np.arange(40) / 40), 8000, 256, 64, "constant"))
    ),
    "MelSpectrogram()": Family(
        MelSpectrogram, {**ZEROS, "n_fft": 256, "n_mels": 20}, bands(mel_bank(8000, 256, 20, 0.0, 4000.0), 2)
    ),
    "LogBandSpectrogram()": Family(
        LogBandSpectrogram, {**ZEROS, "n_fft": 256, "f_min": 200.0},
        bands(triangles(200 * 2 ** (np.arange(52) / 12), np.fft.rfftfreq(256, 1 / 8000)), 1),
    ),
    "Gammatone()": Family(
        Gammatone, {**ZEROS, "n_fft": 256, "n_bands": 20}, bands(weights(8000, 256, 20, 50.0, 4000.0) / 256, 2)
    ),
    "MFCC()": Family(
        MFCC, {"n_fft": 256, "hop_length": 64, "n_mels": 30}, lambda x: defined_mfcc(x, 20, 256, 64, 30)
    ),
    "CQT()": Family(CQT, HIGH, lambda x: np.abs(constant_q(x, 8000, 400.0, 13, 6, 64, "constant"))),
    "VQT()": Family(
        VQT, {**ZEROS, "hop_length": 512, "f_min": 400.0, "n_bins": 24, "gamma": 40.0},
        lambda x: np.abs(variable_q(x, 400.0 * 2 ** (np.arange(24) / 12), 8000, 40.0)),
    ),
    "CFP()": Family(
        CFP, {**RATE, "n_fft": 512, "win_length": 200, "f_min": 100.0, "f_max": 1000.0, "bins_per_octave": 12},
        lambda x: np.stack([defined_cfp(y, **CFP_SMALL) for y in x]),
        bar=1e-3,  # a power below 1 of what is left of much larger values
    ),
    "FilterBank()": Family(
        FilterBank, {"frequencies": [700.0, 1500.0], "taps": TAPS, "hop_length": 64}, by_taps
    ),
    "LEAF()": Family(
        LEAF, {**RATE, **FEW, "f_max": 3900.0, "n_fft": 256},
        lambda x: np.stack([leaf(y, *GABORS, np.full(6, 0.4), 61, 41, 64, PUBLISHED) for y in x]),
    ),
    "SincNet()": Family(
        SincNet, {**RATE, **FEW},
        lambda x: np.stack([sincnet(y, CORNERS[:-1], np.diff(CORNERS), 8000, 61, 41, 64) for y in x]),
    ),
}  # fmt: skip
every = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def clips(*starts: int, samples: int = 3000) -> torch.Tensor:
    """(clips, samples) float64 of music."""
    return torch.stack([torch.from_numpy(synthesised_music()[start : start + samples]) for start in starts])


# Which families there are


def test_no_family_is_left_out():
    front_ends = {getattr(transforms, name) for name in transforms.__all__}
    assert front_ends == {family.build for family in FAMILIES.values()}
    assert front_ends <= {build for build, _ in test_module.SETTINGS}
    assert front_ends <= {build for build, _ in test_library.FRONT_ENDS.values()}
    assert front_ends <= {type(transform) for transform in test_tensors.FRONT_ENDS.values()}
    assert front_ends <= {type(transform) for transform in test_shapes.SMALL}
    trainable = {family.build for family in FAMILIES.values() if family.takes("trainable")}
    assert trainable <= {build for build, _ in test_module.TRAINABLE}


# Values


@every
@pytest.mark.parametrize("accuracy", BARS)
def test_the_definition(family, accuracy):
    """In float32 as closely as its accuracy says; in float64 no less closely."""
    if not (family.takes("accuracy") or accuracy == "exact"):
        pytest.skip("it has one accuracy")
    transform, x = family(**({"accuracy": accuracy} if family.takes("accuracy") else {})), clips(0, 9000)
    bar = max(BARS[accuracy], family.bar)
    assert relative_l2(transform(x.float()), family.define(x.numpy())) < bar
    assert relative_l2(transform(x), family.define(x.numpy())) < bar


@every
@pytest.mark.parametrize("samples", [1, 2, 63, 64, 65, 700])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_any_length_gives_a_frame_every_hop_in_the_clips_precision(family, samples, dtype):
    options = {"pad_mode": "constant"} if family.takes("pad_mode") else {}
    transform, x = family(**options), clips(0, 3000, samples=samples).to(dtype)
    y = transform(x)
    channels = (transform.n_channels,) * (transform.n_channels > 1)
    assert y.shape == (2, *channels, transform.n_bins, 1 + samples // transform.hop_length)
    assert y.dtype == dtype and y.isfinite().all()


# Gradients


@every
def test_the_gradient_is_that_of_the_values(family):
    """Along a direction, by a central difference in float64."""
    x, transform = clips(0, samples=1000), family()
    direction = clips(4000, samples=1000)
    weights = torch.cos(torch.arange(transform(x).numel(), dtype=torch.float64)).view_as(transform(x))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((transform(leaf) * weights).sum(), leaf)
    step = 1e-6
    difference = (transform(x + step * direction) - transform(x - step * direction)) * weights / (2 * step)
    assert float((gradient * direction).sum()) == pytest.approx(float(difference.sum()), rel=1e-4)


@every
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_silence_and_its_gradient_are_finite(family, dtype):
    transform = family()
    fallen = clips(0).to(dtype)
    fallen[:, 1500:] = 0
    for x in (torch.zeros(1, 3000, dtype=dtype), fallen):
        x.requires_grad_()
        y = transform(x)
        (gradient,) = torch.autograd.grad(y.sum(), x)
        assert y.isfinite().all() and gradient.isfinite().all()


# What is saved


@every
def test_a_frozen_one_has_nothing_to_save(family):
    transform = family()
    transform(clips(0))
    assert not list(transform.parameters()) and not list(transform.buffers()) and transform.state_dict() == {}
    transform.load_state_dict({})


# The table


def heard(family: Family) -> bool:
    """Whether there is a way back to the waveform: two tones that come and go, within 1 %."""
    time, options = torch.arange(3000) / 8000, {"output": "complex"} if family.takes("output") else {}
    x = ((2 * torch.pi * 600 * time).sin() + (2 * torch.pi * 1000 * time).sin())[None] * torch.hann_window(3000)
    transform = family(hop_length=16, **options)
    try:
        return relative_l2(transform.inverse(transform(x), length=3000), x.numpy()) < 0.01
    except (AttributeError, ValueError):
        return False


def learns(family: Family) -> bool:
    """Whether trainable=True makes parameters that have a gradient."""
    if not family.takes("trainable"):
        return False
    transform = family(trainable=True)
    transform(clips(0).float()).sum().backward()
    return bool(list(transform.parameters())) and all(p.grad.any() for p in transform.parameters())


def is_fused(family: Family) -> bool:
    """Whether a GPU kernel of ours ends it on CUDA."""
    transform = family()
    if transform.engine is None:
        return "fused" in transform.engine_on("cuda")
    return any(part.has_gpu_kernels for part in transform.engine.parts(torch.device("cuda")))


def test_the_page_says_whose_frames_are_always_centred():
    text = (ROOT / "docs/library.md").read_text()
    named = re.search(r"([^.]*) do not take it: their frames are always centred", text)
    always = {family.build.__name__ for family in FAMILIES.values() if not family.takes("center")}
    assert set(re.findall(r"`(\w+)`", named[1])) == always


def test_the_page_says_what_each_can():
    text = (ROOT / "docs/library.md").read_text().split("## What each front-end has")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    head, _, *rows = rows
    assert head == ["", "definition", "forward", "gradient", "trainable", "inverse", "fused on CUDA"]
    assert [row[0].strip("`") for row in rows] == list(FAMILIES)
    for row, family in zip(rows, FAMILIES.values(), strict=True):
        said = dict(zip(head, row, strict=True))
        assert all(re.match("yes|no: .", cell) for cell in row[1:]), row
        can = {"trainable": learns(family), "inverse": heard(family), "fused on CUDA": is_fused(family)}
        can |= {"definition": family.define is not None, "forward": True, "gradient": True}
        assert {key: said[key].startswith("yes") for key in can} == can, row
