"""The octaves engine: low octaves at a low rate, halved once for each octave down (Schoerkhuber and Klapuri 2010).

A kernel of a low octave changes slowly, so every 2nd, 4th, 8th ... of its taps suffices if the clip holds nothing above
half the lower rate. Each halving is a low-pass followed by taking every second sample:

    x_0 = x,   x_(s+1)[m] = sum_n h[n] x_s[2 m + n],   n = -R .. R.

h is symmetric around n = 0: sample m of stage s lies exactly at sample 2^s m of the clip. So the taps at the lags
2^s m, times 2^s for the samples left out, give the same sum, its phase, normalisation and fractions of a sample of
length included, and frames keep their centres as long as 2^s divides the hop. Octaves that would need more halvings
than the hop has factors of 2 stay at the last stage that it allows.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sweep.engines import framing
from sweep.engines.direct import matmul_precision
from sweep.engines.engine import Engine
from sweep.engines.tables import Tables
from sweep.filters import Kernels
from sweep.filters.windows import kaiser

# The low-pass, designed by the window method: the ideal filter's sin(pi n / 2) / (pi n), cut off at a quarter of the
# rate, times a Kaiser window of 255 taps for an attenuation of 80 dB. It has 255 taps, not 256 as published, because a
# filter of odd length has a centre and adds no delay. The cut-off at a quarter of the rate makes every even tap except
# the centre 0, which halves the work, and centres the transition band (0.24 to 0.26 of the rate, from Kaiser's
# (80 - 7.95) / (14.36 * 254)) between a tone and its alias. 80 dB, 1e-4, is a front-end's default accuracy; a higher
# attenuation would widen the transition.
REACH, ATTENUATION = 127, 80.0
# Before the first octave the rate is halved as long as the top bin stays below this share of the rate.
_EARLY = 0.2
# Share of a rate up to which bins are as accurate as the low-pass: the octaves of bins that are wider for their
# frequency than constant-Q bins of their bank's top are counted from here.
_ACCURATE = 0.35
# Outputs of the low-pass per row of its banded matrix product; 32 to 128 are equally fast.
_BLOCK = 64


def low_pass() -> np.ndarray:
    """Compute the taps h[-REACH .. REACH] of the low-pass, float64; their sum is 1."""
    n = np.arange(-REACH, REACH + 1)
    taps = np.sinc(n / 2) / 2 * kaiser(len(n), ATTENUATION) * (n % 2)
    taps /= 2 * taps.sum()
    taps[REACH] = 0.5
    return taps


def _passed(frequencies: np.ndarray) -> np.ndarray:
    """Compute the low-pass's gain at frequencies in turns per sample: h[0] + 2 sum_n h[n] cos(2 pi f n)."""
    n = np.arange(1, REACH + 1, 2)
    return 0.5 + 2 * sum(h * np.cos(2 * np.pi * k * frequencies) for k, h in zip(n, low_pass()[REACH + n], strict=True))


def stages(frequencies: np.ndarray, equivalent: np.ndarray, sample_rate: float, hop_length: int) -> np.ndarray:
    """Return how often the rate is halved for each bin, (bins,) int, never more often for a higher bin.

    Args:
        frequencies: bins in Hz, from low to high.
        equivalent, sample_rate, hop_length: arguments of `Octaves`, or of its kernels.
    """
    early, most = 0, (hop_length & -hop_length).bit_length() - 1
    while equivalent[-1] < _EARLY * sample_rate / 2 ** (early + 1):
        early += 1
    top = max(frequencies[-1], min(equivalent[-1], _ACCURATE * sample_rate))
    octaves_down = np.floor(np.log2(top / equivalent) + 1e-9).astype(np.int64)
    return np.minimum(early + octaves_down.clip(min=0), most)


class Thinned:
    """A bank at a lower rate: every step-th tap of each kernel, times the step. Lags are in samples of that rate."""

    def __init__(self, kernels: Kernels, step: int):
        self.kernels, self.step = kernels, step
        self.first_lags = -(-kernels.first_lags // step)
        self.last_lags = kernels.last_lags // step
        self.lengths = self.last_lags - self.first_lags + 1

    def __len__(self) -> int:
        return len(self.kernels)

    def __getitem__(self, bins: slice) -> "Thinned":
        return Thinned(self.kernels[bins], self.step)

    def taps(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """Compute the complex128 taps of one kernel at some lags of the lower rate."""
        return self.step * self.kernels.taps(bin, self.step * lags)


class Octaves(Engine):
    """Evaluates each octave by an engine of its own, at half the rate of the octave above.

    Args:
        kernels: constant-Q bank, bins from low to high.
        equivalent: frequencies of constant-Q bins that are as wide as each bin, in Hz: a bin that is wider for its
            frequency stays at a higher rate.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        make: function that returns an engine for (kernels, hop_length, pad_mode) at a stage's rate.
    """

    name = "octaves"

    def __init__(self, kernels: Kernels, equivalent: np.ndarray, hop_length: int, pad_mode: str, make: Callable):
        super().__init__(kernels, hop_length, pad_mode)
        self.stage_of_bins = stages(kernels.frequencies, equivalent, kernels.sample_rate, hop_length)
        self.stages = np.unique(self.stage_of_bins).tolist()
        steps = [(2**stage, np.flatnonzero(self.stage_of_bins == stage)) for stage in self.stages]
        self.engines = nn.ModuleList(
            make(Thinned(kernels[bins[0] : bins[-1] + 1], step), hop_length // step, "constant") for step, bins in steps
        )
        # Samples that frames reach beyond the clip's ends, the last one centred just past its last sample, as Python
        # integers: torch.compile would trace NumPy's.
        self.overhang = (max(0, -int(kernels.first_lags.min())), max(0, int(kernels.last_lags.max()) + 1))
        self._tables = Tables()

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        count, centre = framing.n_frames(x.shape[-1], self.hop_length), 0
        if self.pad_mode == "reflect":
            centre, right = self.overhang
            x = framing.pad(x, centre, right, "reflect")
            # The low-pass meets zeros beyond that; this affects only the ends of kernels, whose taps are almost 0.
        parts, stage = [], 0
        for wanted, engine in zip(self.stages, self.engines, strict=True):
            while stage < wanted:
                x, centre = self._halve(x, centre)
                stage += 1
            parts.insert(0, engine(x, phase, centre, count))
        real, imag = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return real, imag

    def multiply_adds(self, samples: int) -> float:
        count, padded = framing.n_frames(samples, self.hop_length), samples
        if self.pad_mode == "reflect":
            padded += sum(self.overhang)
        total, stage, taps = 0.0, 0, len(low_pass()[::2])
        for wanted, engine in zip(self.stages, self.engines, strict=True):
            while stage < wanted:
                padded = -(-(padded + 2 * REACH + 1) // (2 * _BLOCK)) * _BLOCK
                total += padded * (_BLOCK + taps - 1)  # a product with a banded matrix, most of it zeros
                stage += 1
            total += engine.multiply_adds(padded, count)
        return total

    def aliasing(self, bin: int) -> float:
        """Return a bin's response to tones above half its rate, relative to a tone of its own frequency, in dB.

        Thinned taps repeat their spectrum, D, at every multiple of the rate r, and the halvings let
        H(f) = h(f) h(2 f) h(4 f) ... pass: exp(2 pi i f n), f in turns per sample, gives H(f) sum_j D(f + j r). All of
        it but H(f) D(f) is aliasing; a real tone contains f and -f, which add up in some frame.

        Returns:
            The maximum of the aliasing over f above r / 2, divided by the maximum of |D|, in dB; -inf at the full rate.
        """
        stage = int(self.stage_of_bins[bin])
        if stage == 0:
            return -math.inf
        lags = np.arange(self.kernels.first_lags[bin], self.kernels.last_lags[bin] + 1)
        points = 8 << max(len(lags).bit_length(), stage)  # at least eight for each point of the kernel's own spectrum
        taps = np.zeros(points, dtype=np.complex128)
        taps[lags] = self.kernels.taps(bin, lags)
        defined = np.fft.ifft(taps) * points  # at f = p / points
        repeated = np.tile(defined.reshape(2**stage, -1).sum(axis=0), 2**stage)
        turns = np.arange(points) / points
        passed = math.prod(_passed(2**i * turns) for i in range(stage))
        aliases = np.abs(passed * (repeated - defined))
        aliases += aliases[-np.arange(points)]
        above = slice((points >> stage) // 2 + 1, points // 2)
        return float(20 * np.log10(aliases[above].max() / np.abs(defined).max()))

    def _halve(self, x: torch.Tensor, centre: int) -> tuple[torch.Tensor, int]:
        """Low-pass (batch, samples) and keep the samples at an even distance from `centre`; return also its new place.

        The result contains the filter's whole output, also its tails before and after the clip.
        """
        left = REACH + 1 + centre % 2
        total = -(-(left + x.shape[-1] + REACH) // (2 * _BLOCK)) * 2 * _BLOCK
        even, odd = F.pad(x, (left, total - left - x.shape[-1])).unflatten(-1, (-1, 2)).unbind(-1)
        # With n = 2 i - R for i = 0 .. R, all of h but its centre, x[2 m + n] is odd[m + i - (R + 1) / 2].
        padded = F.pad(odd, ((REACH + 1) // 2, REACH // 2))
        band = self._tables.get((x.device, x.dtype), lambda: _band(x))
        frames = framing.frames(padded, 0, len(band), _BLOCK, total // 2 // _BLOCK)
        with matmul_precision("highest", x.is_cuda):
            return even / 2 + (frames @ band).flatten(1), (left + centre) // 2


def _band(like: torch.Tensor) -> torch.Tensor:
    """Return the low-pass's odd taps as a banded matrix; multiplied by the input samples it gives `_BLOCK` outputs."""
    taps = low_pass()[::2]
    band = np.zeros((_BLOCK + len(taps) - 1, _BLOCK))
    for column in range(_BLOCK):
        band[column : column + len(taps), column] = taps
    return torch.from_numpy(band).to(like.device, like.dtype)
