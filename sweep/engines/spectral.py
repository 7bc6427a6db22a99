"""The spectral engine: one FFT of the clip, then for each bin the narrow slice of the spectrum under its kernel.

Correlating a clip x with a kernel h is, on a circle of M samples,

    y[c + t hop] = 1/M sum_p X[p] H[p] exp(2 pi i p (c + t hop) / M),   H[p] = sum_n h[n] exp(2 pi i p n / M).

H is narrow: a windowed exponential at frequency f passes only the points near p = f M / sample_rate, so the sum runs
over a slice of w points from p_0 on. Since M is a multiple of the hop, M = F hop, the frames' phases are

    exp(2 pi i (p_0 + j) t / F),   j = 0 .. w - 1,

which repeat after F points: slices longer than F are folded, and one small matrix of exp(2 pi i j t / F) turns the
slices of all bins into all their frames at once. The remaining phase factor, exp(2 pi i p_0 t / F), has modulus 1. The
cost hardly depends on a kernel's length.

Circular wrap-around does no harm if every lag that a kernel uses, from every frame, meets either its sample or a zero.
A lag longer than the clip meets no sample, so such taps may take any value; they fade to zero slowly, since a sudden
end would widen the slice.
"""

import math

import numpy as np
import torch

from sweep.engines import framing
from sweep.engines.direct import matmul_precision
from sweep.engines.engine import Engine
from sweep.engines.slices import Plan, fast_length
from sweep.engines.tables import Tables
from sweep.filters import Kernels

# A faded kernel reaches this many clip lengths to either side: one that meets samples and two to fade out.
_FADE = 3


class Spectral(Engine):
    """Evaluates a bank by one FFT per clip and one slice of it per bin.

    Args:
        kernels: bank of kernels to evaluate.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        tolerance: fraction of a kernel's spectral peak below which points are left out; the output's relative error is
            about as large.
        tf32: whether CUDA's matrix products may round their factors to TF32.
    """

    name = "spectral"
    has_gpu_kernels = True

    def __init__(self, kernels: Kernels, hop_length: int, pad_mode: str, tolerance: float, tf32: bool = False):
        super().__init__(kernels, hop_length, pad_mode)
        self.tolerance, self.tf32 = tolerance, tf32
        self._tables = Tables()
        # Samples that frames reach beyond the clip's ends, the last one centred just past its last sample, as Python
        # integers: torch.compile would trace NumPy's.
        self.overhang = (max(0, -int(kernels.first_lags.min())), max(0, int(kernels.last_lags.max()) + 1))
        # Sorted by length, the longest first; constant-Q and STFT banks are in that order already.
        self._longest_first = np.argsort(-kernels.lengths, kind="stable")
        in_order = (np.diff(self._longest_first) > 0).all()
        self.order = None if in_order else np.argsort(self._longest_first)

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        framing.check_onnx()
        plans, x = self._plans(x)
        with matmul_precision("high" if self.tf32 else "highest", x.is_cuda):
            parts = _evaluated(plans, x, phase)
        both = torch.cat(parts) if len(parts) > 1 else parts[0]
        if self.order is not None:
            order = self._tables.get(("order", x.device), lambda: torch.from_numpy(self.order).to(x.device))
            both = both.index_select(0, order)
        real, imag = both.transpose(0, 1).chunk(2, dim=-1)
        return real, imag

    def multiply_adds(self, samples: int) -> float:
        count, centre, padded = framing.n_frames(samples, self.hop_length), 0, samples
        if self.pad_mode == "reflect":
            centre, padded = self.overhang[0], samples + sum(self.overhang)
        plans = self._laid_out(padded, centre, count)
        whole = sum(
            plan.blocks * framing.fft_multiply_adds(plan.circle) for plan in plans if _source(plan, plans) is plan
        )
        return whole + sum(plan.multiply_adds() for plan in plans)

    def _plans(self, x: torch.Tensor) -> tuple[list["Plan"], torch.Tensor]:
        """Return the plans for clips of this length, and the clips padded for them."""
        count = framing.n_frames(x.shape[-1], self.hop_length)
        centre = 0
        if self.pad_mode == "reflect":
            centre, right = self.overhang
            x = framing.pad(x, centre, right, "reflect")
        layout = (x.shape[-1], centre, count)
        plans = self._tables.get((*layout, x.device, x.dtype), lambda: self._make_plans(*layout, x.device, x.dtype))
        return plans, x

    def finish_into(self, x: torch.Tensor, finish, out: torch.Tensor, first: int) -> bool:
        if self.order is not None:  # the bins were sorted
            return False
        plans, x = self._plans(x)
        with matmul_precision("high" if self.tf32 else "highest", x.is_cuda):
            for plan in plans:
                first = plan.finish_into(x, finish, out, first)
        return True

    def gradient(self, x: torch.Tensor, finish, by_out: torch.Tensor) -> torch.Tensor | None:
        if self.order is not None:
            return None
        spectra, gradients, first = [], [], 0
        with matmul_precision("high" if self.tf32 else "highest", x.is_cuda), torch.enable_grad():
            x = x.detach().requires_grad_()
            plans, clips = self._plans(x)
            for plan in plans:
                by_plan = by_out[:, first : first + len(plan.kernels)]
                spectra.append(plan.spectrum(clips))
                gradients.append(plan.gradient(spectra[-1].detach(), finish, by_plan))
                first += len(plan.kernels)
            return torch.autograd.grad(spectra, x, gradients)[0]

    def _make_plans(self, samples: int, centre: int, count: int, device, dtype) -> list["Plan"]:
        plans = self._laid_out(samples, centre, count)
        for plan in plans:
            plan.make_tables(device, dtype)
        return plans

    def _laid_out(self, samples: int, centre: int, count: int) -> list["Plan"]:
        """Sort the bins into those that share an FFT of one length and cut long clips into blocks of frames."""
        kernels = self.kernels[self._longest_first]
        reach = np.maximum(-kernels.first_lags, kernels.last_lags + 1)
        if self.pad_mode == "constant":
            reach = np.minimum(reach, _FADE * samples)
        circles = np.array([fast_length(math.ceil((samples + r) / self.hop_length)) for r in reach])
        plans = []
        for circle in np.unique(circles)[::-1]:
            bins = circles == circle
            plan = Plan(kernels[bins], self.hop_length, self.tolerance, self.tf32)
            plan.lay_out(samples, centre, count, int(reach[bins].max()))
            plans.append(plan)
        return plans


def _source(plan: Plan, plans: list[Plan]) -> Plan:
    """Return the plan whose FFT of a whole clip holds a plan's, as each second or third ... of its points."""
    whole = [other for other in plans if other.block is None and other.circle % plan.circle == 0]
    return whole[0] if plan.block is None else plan


def _evaluated(plans: list[Plan], x: torch.Tensor, phase: bool) -> list[torch.Tensor]:
    """Evaluate the plans. On a CPU one FFT may serve several; no spectrum is kept longer than it is needed."""
    spectra: dict[int, torch.Tensor] = {}
    parts = []
    for i, plan in enumerate(plans):  # the longest FFT first
        if i not in spectra:
            spectra[i] = plan.spectrum(x)
        for j in range(i + 1, len(plans)):
            if not x.is_cuda and j not in spectra and _source(plans[j], plans) is plan:
                spectra[j] = spectra[i][:, :: plan.circle // plans[j].circle].contiguous()
        parts.append(plan(spectra.pop(i), phase))
    return parts
