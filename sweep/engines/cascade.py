"""The cascade engine: a constant-Q bank octave by octave with the approximations of librosa or of nnAudio.

It differs from the octaves engine, which stays close to the sum of the whole kernels, in what `sweep.filters.cascades`
defines: the low-pass filter, the clip that is cut to its own length after each halving and padded anew for each octave,
and kernels that are made, and by librosa also thinned out, at the octave's own rate. It never rounds to TF32: it is
there to repeat a library's numbers, and with TF32 a fifth of the cells of a row that scales by its quietest one differ.
"""

import math

import numpy as np
import torch
from torch import nn

from sweep.engines import framing
from sweep.engines.direct import Direct, matmul_precision
from sweep.engines.engine import Engine
from sweep.engines.sampled import Sampled
from sweep.engines.tables import Tables
from sweep.filters import ConstantQ, Kernels
from sweep.filters.cascades import Cascade

_BLOCK = 64  # outputs of the low-pass per row of its banded matrix product


class Cascaded(Engine):
    """Evaluates each octave by the direct engine at the octave's own rate.

    Args:
        kernels: constant-Q bank, bins from low to high.
        shape: what made it, and makes the kernels at each octave's rate.
        hop_length: samples between frames; the rate is halved only as often as 2 divides it.
        pad_mode: padding of a clip at each octave's rate, "constant" or "reflect".
        cascade: approximations to make.
    """

    name = "cascade"

    def __init__(self, kernels: Kernels, shape: ConstantQ, hop_length: int, pad_mode: str, cascade: Cascade):
        super().__init__(kernels, hop_length, pad_mode)
        self.cascade = cascade
        stops = range(len(kernels), 0, -shape.bins_per_octave)
        self.octaves = [slice(max(0, stop - shape.bins_per_octave), stop) for stop in stops]  # the top one first
        reach = 2 * shape.reach(kernels.frequencies[-1]) / kernels.sample_rate
        early = cascade.early(reach, len(self.octaves), hop_length)
        most = (hop_length & -hop_length).bit_length() - 1
        self.stages = [min(early + octave, most) for octave in range(len(self.octaves))]
        factors = kernels.scales / shape.kernels(kernels.frequencies, kernels.sample_rate).scales
        engines = []
        for bins, stage in zip(self.octaves, self.stages, strict=True):
            first, taps = cascade.taps(shape.kernels(kernels.frequencies[bins], kernels.sample_rate / 2**stage))
            bank = Sampled(np.full(len(taps), first), tuple(factors[bins, None] * taps))
            engines.append(Direct(bank, hop_length >> stage, pad_mode))
        self.engines = nn.ModuleList(engines)
        self._tables = Tables()

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        count, halved, parts = framing.n_frames(x.shape[-1], self.hop_length), 0, []
        if self.pad_mode == "reflect":
            framing.check_reflection(x.shape[-1], self._reach())
        for stage, engine in zip(self.stages, self.engines, strict=True):
            while halved < stage:
                x, halved = self._halve(x), halved + 1
            parts.insert(0, engine(x, phase, count=count))
        real, imag = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return real, imag

    def multiply_adds(self, samples: int) -> float:
        count, halved, total = framing.n_frames(samples, self.hop_length), 0, 0.0
        for stage, engine in zip(self.stages, self.engines, strict=True):
            while halved < stage:
                samples, halved = self._half(samples), halved + 1
                total += -(-samples // _BLOCK) * _BLOCK * (2 * _BLOCK + len(self.cascade.low_pass) - 2)
            total += engine.multiply_adds(samples, count)
        return total

    def aliasing(self, bin: int) -> float:
        """Return a bin's response to tones above half its rate, relative to that to tones below, in dB.

        exp(2 pi i f n), f in turns per sample, gives h(f) h(2 f) h(4 f) ... D(2^stage f), where h is the low-pass's
        response and D the taps' at the lower rate. A real tone contains f and -f, which add up in some frame.
        """
        octave = next(i for i, bins in enumerate(self.octaves) if bin >= bins.start)
        stage, bank = self.stages[octave], self.engines[octave].kernels
        if stage == 0:
            return -math.inf
        taps = bank.sampled[bin - self.octaves[octave].start]
        points = 8 << len(taps).bit_length()
        turns = np.arange(points << stage) / (points << stage)
        passed = math.prod(_response(self.cascade.low_pass, 2**i * turns) for i in range(stage))
        answers = passed * np.tile(np.abs(np.fft.ifft(taps, points)), 2**stage)
        answers += answers[-np.arange(len(answers))]
        half = points // 2
        return float(20 * np.log10(answers[half + 1 : len(answers) // 2].max() / answers[: half + 1].max()))

    def _reach(self) -> int:
        """Return how many samples a clip must exceed so that each octave's longest lag lies within its clip."""
        lags = [max(max(-first, stop) for first, stop in engine.spans) for engine in self.engines]
        less = 0 if self.cascade.rounds_up else 1
        return max(((lag + less) << stage) - less for lag, stage in zip(lags, self.stages, strict=True))

    def _half(self, samples: int) -> int:
        return max(1, (samples + int(self.cascade.rounds_up)) // 2)

    def _halve(self, x: torch.Tensor) -> torch.Tensor:
        """Low-pass (batch, samples) and keep every second sample."""
        count, left = self._half(x.shape[-1]), -self.cascade.first_lag
        rows = -(-count // _BLOCK)
        band = self._tables.get((x.device, x.dtype), lambda: _band(self.cascade.low_pass, x))
        right = max(0, (rows - 1) * 2 * _BLOCK + len(band) - left - x.shape[-1])
        frames = framing.frames(framing.pad(x, left, right, "constant"), 0, len(band), 2 * _BLOCK, rows)
        with matmul_precision("highest", x.is_cuda):
            return (frames @ band).flatten(1)[:, :count]


def _response(taps: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Compute the magnitude of a filter's response at k / len(turns) times whole numbers, in turns per sample."""
    spectrum = np.abs(np.fft.fft(taps, len(turns)))
    return spectrum[np.rint(turns * len(turns)).astype(np.int64) % len(turns)]


def _band(taps: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """Return a filter as a banded matrix; multiplied by input samples it gives every second of 2 `_BLOCK` outputs."""
    band = np.zeros((2 * _BLOCK + len(taps) - 2, _BLOCK))
    for column in range(_BLOCK):
        band[2 * column : 2 * column + len(taps), column] = taps
    return torch.from_numpy(band).to(like.device, like.dtype)
