"""What becomes of the real and imaginary parts of the bins: magnitude or power, and its logarithm if that is wanted."""

from dataclasses import dataclass

import torch
from torch import nn

from sweep.engines import fused


@dataclass(frozen=True)
class Finish:
    """How an engine's output ends.

    Attributes:
        power: the squared magnitude.
        offset: what is added before the logarithm; None: no logarithm.
    """

    power: bool = False
    offset: float | None = None

    def __call__(self, real: torch.Tensor, imag: torch.Tensor) -> torch.Tensor:
        """In PyTorch; contiguous where the logarithm is taken without a gradient."""
        return self.log((power if self.power else magnitude)(real, imag))

    def log(self, values: torch.Tensor) -> torch.Tensor:
        """The logarithm of values plus the offset, if there is one."""
        if self.offset is None:
            return values
        if values.requires_grad:
            return torch.log(values + self.offset)
        contiguous = torch.empty_like(values, memory_format=torch.contiguous_format)  # as models read it
        return torch.log(values.add_(self.offset), out=contiguous)


def finished(engine: nn.Module, x: torch.Tensor, finish: Finish, n_bins: int, count: int) -> torch.Tensor:
    """(batch, samples) through an engine -> (batch, bins, frames), by the fused kernels where they serve."""
    engines = engine.parts(x) if hasattr(engine, "parts") else [engine]
    if not fused.serves(x) or not any(hasattr(part, "finish_into") for part in engines):
        values = [(power if finish.power else magnitude)(*part(x, phase=False)) for part in engines]
        return finish.log(torch.cat(values, dim=1) if len(values) > 1 else values[0])
    out, first = torch.empty(len(x), n_bins, count, device=x.device), 0
    for part in engines:
        some = slice(first, first + len(part.kernels))
        if not (hasattr(part, "finish_into") and part.finish_into(x, finish, out, first)):
            out[:, some] = finish(*part(x, phase=False))
        first = some.stop
    return out


def power(real: torch.Tensor, imag: torch.Tensor) -> torch.Tensor:
    """Squared magnitude."""
    return torch.addcmul(real.square(), imag, imag)


def magnitude(real: torch.Tensor, imag: torch.Tensor) -> torch.Tensor:
    """sqrt(real^2 + imag^2), whose gradient at 0 is 0 where the square root's own would be infinite."""
    squared = power(real, imag)
    if not squared.requires_grad:
        return squared.sqrt_()
    silent = squared == 0
    return squared.masked_fill(silent, 1.0).sqrt().masked_fill(silent, 0.0)
