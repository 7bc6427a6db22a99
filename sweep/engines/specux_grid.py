"""Magnitudes on the FFT's grid, and bands of them, by the package specux, which on a CPU is faster than PyTorch."""

from dataclasses import dataclass, field
from types import ModuleType
from typing import ClassVar

import torch

from sweep.engines import framing
from sweep.engines.blocks import Block, product
from sweep.engines.finish import Finish
from sweep.engines.grid import Grid
from sweep.engines.tables import Tables

# Bounds of the square of a frame's loudest value: those lost below 2^-126 are less than 2^-50 of it, float32's rounding
# of magnitudes, and none left the range above.
_LOWEST, _HIGHEST = 2.0**-76, 2.0**100


@dataclass(frozen=True)
class SpecuxGrid(Grid):
    """A `Grid` whose float32 values without a gradient are specux's (Kiers 2026) on a CPU.

    It cuts frames, transforms and sums triangles in one pass. PyTorch computes the rest, as in a `Grid`: float64,
    gradients, what torch.func and torch.export trace, and clips with a frame so quiet or so loud that its squares leave
    float32's range.

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

    def in_blocks(
        self,
        x: torch.Tensor,
        window: torch.Tensor,
        bank: list[Block] | None,
        finish: Finish,
        kept: list[tuple[slice, slice, torch.Tensor]] | None = None,
    ) -> torch.Tensor:
        if kept is None and x.dtype == torch.float32:
            low, count = self._lowered(x.detach(), window), framing.n_frames(x.shape[-1], self.hop_length)
            values = self._values(low[:, : (count - 1) * self._hop(window) + len(window)], window, bank)
            if _kept_range(values, self.exponent, self._frames(low, window, count)):
                return finish.log(values)
        return super().in_blocks(x, window, bank, finish, kept)

    def _values(self, clips: torch.Tensor, window: torch.Tensor, bank: list[Block] | None) -> torch.Tensor:
        """Compute (batch, bins or bands, frames) of padded clips, frames before bins in memory."""
        specux, length, hop = imported(), len(window), self._hop(window)
        if bank is None or len(bank) == 1:  # bands that are wide, or few: a product is faster than specux's sum
            output = "power" if self.exponent == 2 else "magnitude"
            form = {"n_fft": length, "hop_length": hop, "window": window.numpy(), "center": False, "output": output}
            values = torch.from_numpy(specux.stft(clips.numpy(), **form))[:, self.used]
            return values if bank is None else product(values.transpose(1, 2), bank).transpose(1, 2)
        whole = self._tables.get(length, lambda: self._whole(bank, length // 2 + 1))
        numbers = (len(whole), length, hop, False, "power", 0.0, int(self.exponent))
        return torch.ops.specux.mel(clips, window, whole, *numbers)

    def _whole(self, bank: list[Block], points: int) -> torch.Tensor:
        """Return a bank's weights for all points of the FFT, (bands, points)."""
        whole, done = torch.zeros(sum(w.shape[1] for _, _, w in bank), points), 0
        for first, stop, weights in bank:
            whole[done : done + weights.shape[1], self.used.start + first : self.used.start + stop] = weights.T
            done += weights.shape[1]
        return whole


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


def _kept_range(values: torch.Tensor, exponent: float, frames: torch.Tensor) -> bool:
    """Return whether the squares behind some values, (batch, bins, frames), lost nothing, digital silence apart."""
    loudest = values.amax(1)
    silent = loudest == 0
    if silent.any():
        if frames[silent].any():
            return False
        loudest.masked_fill_(silent, 1.0)
    low, high = (bound.item() for bound in torch.aminmax(loudest))
    return _LOWEST ** (exponent / 2) <= low and high <= _HIGHEST ** (exponent / 2)
