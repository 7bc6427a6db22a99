"""Magnitudes on the FFT's grid, and bands of them, by the package specux, which on a CPU is faster than PyTorch."""

from dataclasses import dataclass, field
from types import ModuleType
from typing import ClassVar

import numpy as np
import torch

from sweep.engines import derivatives, framing
from sweep.engines.blocks import Block, product
from sweep.engines.finish import Finish
from sweep.engines.grid import Grid
from sweep.engines.magnitudes import OutOfRange
from sweep.engines.tables import Tables

# Bounds of the square of a frame's loudest value: those lost below 2^-126 are less than 2^-50 of it, float32's rounding
# of magnitudes, and none left the range above.
_LOWEST, _HIGHEST = 2.0**-76, 2.0**100
# Samples times hop_length over n_fft^2 from which specux's reflection, slow at each frame that meets an end, takes less
# time than a padded copy of the clip, 0.8 to 1.0 of it with n_fft 1024 to 4096; with a gradient it always does.
_REFLECTS_FROM = 5


@dataclass(frozen=True)
class SpecuxGrid(Grid):
    """A `Grid` whose float32 values and gradients on a CPU are specux's (Kiers 2026).

    It cuts frames, transforms and sums triangles in one pass, and keeps the clips alone for the backward pass. PyTorch
    computes the rest, as in a `Grid`: float64, a gradient of a gradient, what torch.func and torch.export trace, and
    clips with a frame so quiet or so loud that its squares leave float32's range.

    Raises:
        ImportError: specux is not installed.
        ValueError: the exponent is not 1 or 2.
    """

    on_cpu: ClassVar[str] = "specux"
    _tables: Tables = field(default_factory=Tables, init=False, repr=False, compare=False)

    def __post_init__(self):
        imported()
        if self.exponent not in (1, 2):
            raise ValueError(f'power {self.exponent}: engine "specux" has 1 and 2; choose engine="auto"')

    def __call__(
        self, x: torch.Tensor, window: torch.Tensor, bank: list[Block] | None, offset: float | None, careful: bool
    ) -> torch.Tensor:
        if not careful and x.dtype == torch.float32 and self._in_blocks(x, bank):
            try:
                if derivatives.differentiates(x):
                    values = _Kept.apply(x, self, window, bank)
                else:
                    values, _ = self.values(x.detach(), window, bank, followed=False)
                return Finish(offset=offset).log(values)
            except OutOfRange:
                pass
        return super().__call__(x, window, bank, offset, careful)

    def values(
        self, x: torch.Tensor, window: torch.Tensor, bank: list[Block] | None, followed: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute (batch, bins or bands, frames), frames before bins in memory.

        Args:
            followed: whether a gradient is wanted.

        Returns:
            The values; and the clips, padded or not, by which they can then be differentiated once.

        Raises:
            OutOfRange: squares were lost.
        """
        specux, x, center = imported(), x.resolve_neg(), False
        if self.pad_mode == "reflect":
            framing.check_reflection(x.shape[-1], self.n_fft // 2)
            center = followed or x.shape[-1] * self.hop_length > _REFLECTS_FROM * self.n_fft**2
        clips = (x if center else self._padded(x)).detach().requires_grad_(followed)
        if bank is None or len(bank) == 1:  # bands that are wide, or few: a product is faster than specux's sum
            output = "power" if self.exponent == 2 else "magnitude"
            form = {"n_fft": self.n_fft, "hop_length": self.hop_length, "window": window, "center": center}
            values = specux.stft(clips, **form, output=output)
            values = values if self.used == slice(0, values.shape[1]) else values[:, self.used]
            values = values if bank is None else product(values.transpose(1, 2), bank).transpose(1, 2)
        else:
            whole = self._tables.get("bank", lambda: self._whole(bank))
            numbers = (len(whole), self.n_fft, self.hop_length, center, "power", 0.0, int(self.exponent))
            values = torch.ops.specux.mel(clips, window, whole, *numbers)
        if not self._kept_range(values.detach().numpy(), x, window):
            raise OutOfRange
        return values, clips

    def back(self, by_clips: torch.Tensor) -> torch.Tensor:
        """Return the gradient by clips, given that by the second result of `values`."""
        half = self.n_fft // 2
        return by_clips if self.pad_mode == "reflect" else framing.padded_back(by_clips, half, half, self.pad_mode)

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        # By NumPy's one thread, as below: PyTorch's would wait for specux's, which look for work for 20 ms.
        width, reflect = ((0, 0), (self.n_fft // 2, self.n_fft // 2)), self.pad_mode == "reflect"
        return torch.from_numpy(np.pad(x.numpy(), width, mode="reflect" if reflect else "constant"))

    def _kept_range(self, values: np.ndarray, x: torch.Tensor, window: torch.Tensor) -> bool:
        """Return whether the squares behind the values, (batch, bins, frames), lost nothing, digital silence apart."""
        loudest = values.max(axis=1)
        silent = loudest == 0
        if silent.any():
            frames = self._frames(self._lowered(x, window), window, values.shape[-1])
            if frames[torch.from_numpy(silent)].any():
                return False
            loudest[silent] = 1.0
        low, high = _LOWEST ** (self.exponent / 2), _HIGHEST ** (self.exponent / 2)
        return low <= float(loudest.min()) and float(loudest.max()) <= high

    def _whole(self, bank: list[Block]) -> torch.Tensor:
        """Return a bank's weights for all points of the FFT, (bands, points)."""
        whole, done = torch.zeros(sum(w.shape[1] for _, _, w in bank), self.n_fft // 2 + 1), 0
        for first, stop, weights in bank:
            whole[done : done + weights.shape[1], self.used.start + first : self.used.start + stop] = weights.T
            done += weights.shape[1]
        return whole


class _Kept(torch.autograd.Function):
    """The values as one operation, of which PyTorch computes the gradient of a gradient."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, grid: SpecuxGrid, window: torch.Tensor, bank: list[Block] | None) -> torch.Tensor:
        with torch.enable_grad():
            values, clips = grid.values(x.detach(), window, bank, followed=True)
        ctx.grid, ctx.bank, ctx.graph = grid, bank, (values, clips)
        ctx.save_for_backward(x, window)
        return values.detach()

    @staticmethod
    def backward(ctx, by_values: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, window = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            if torch.is_grad_enabled():  # a second derivative may follow
                whole = ctx.grid.at_once(x, window, ctx.bank).transpose(1, 2)
                (by_x,) = torch.autograd.grad(whole, x, by_values, create_graph=True)
            else:
                (by_clips,) = torch.autograd.grad(*ctx.graph, by_values, retain_graph=True)
                by_x = ctx.grid.back(by_clips)
        return by_x, None, None, None


def imported() -> ModuleType:
    """Return specux with its operators, told to use as many threads as torch does.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import specux
        import specux.bridges.torch  # registers torch.ops.specux
    except ImportError as error:
        remedy = 'pip install "spectrogram-sweep[cpu]", or choose engine="auto"'
        raise ImportError(f'engine "specux" needs the package specux ({error}); {remedy}') from error
    threads = torch.get_num_threads()
    if specux.get_num_threads() != threads:
        specux.set_num_threads(threads)
    return specux
