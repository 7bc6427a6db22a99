"""Turn the real and imaginary parts of the bins into magnitude or power, and optionally its logarithm."""

from dataclasses import dataclass

import torch

from sweep.engines import derivatives
from sweep.engines.engine import Engine
from sweep.engines.gpu import fused
from sweep.engines.magnitudes import Parts, raised


@dataclass(frozen=True)
class Finish:
    """The last step after an engine: magnitude or power, then optionally the logarithm.

    Attributes:
        power: whether the magnitude is squared.
        offset: number added before the logarithm; None: no logarithm.
        careful: whether the clips were scaled, so that only magnitudes may be out of range, not the bins' parts.
    """

    power: bool = False
    offset: float | None = None
    careful: bool = False

    def __call__(self, parts: Parts) -> torch.Tensor:
        """Compute the values in PyTorch; contiguous if the logarithm is taken without a gradient."""
        return self.log(self.raised(parts))

    def raised(self, parts: Parts) -> torch.Tensor:
        """Compute magnitude or power of complex values or their two parts."""
        return raised(parts, 2 if self.power else 1, self.careful)

    def log(self, values: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of values plus the offset; without an offset, the values."""
        if self.offset is None:
            return values
        if derivatives.followed(values):
            return torch.log(values + self.offset)
        contiguous = torch.empty_like(values, memory_format=torch.contiguous_format)  # the layout that models read
        return torch.log(values.add_(self.offset), out=contiguous)


def finished(engine: Engine, x: torch.Tensor, finish: Finish, n_bins: int, count: int) -> torch.Tensor:
    """Map (batch, samples) through an engine to (batch, bins, frames), by fused GPU kernels where they serve."""
    engines = engine.parts(x.device)
    if not (fused.serves(x) and any(part.has_gpu_kernels for part in engines)):
        return _in_pytorch(engines, x, finish)
    if not derivatives.differentiates(x):
        return _by_kernels(engines, x, finish, n_bins, count)
    if not derivatives.in_any_order():
        return _in_pytorch(engines, x, finish)
    return _Differentiable.apply(x, engines, finish, n_bins, count)


def _in_pytorch(engines: list[Engine], x: torch.Tensor, finish: Finish) -> torch.Tensor:
    values = [finish.raised(part(x, phase=False)) for part in engines]
    return finish.log(torch.cat(values, dim=1) if len(values) > 1 else values[0])


def _by_kernels(engines: list[Engine], x: torch.Tensor, finish: Finish, n_bins: int, count: int) -> torch.Tensor:
    out, first = x.new_empty(len(x), n_bins, count), 0
    for part in engines:
        some = slice(first, first + len(part.kernels))
        if not part.finish_into(x, finish, out, first):
            out[:, some] = finish(part(x, phase=False))
        first = some.stop
    return out


class _Differentiable(torch.autograd.Function):
    """The fused GPU kernels as one autograd operation that saves only the clips for the backward pass."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, engines: list[Engine], finish: Finish, n_bins: int, count: int) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.engines, ctx.finish = engines, finish
        if not derivatives.values_wanted():
            return x.new_empty(len(x), n_bins, count)
        return _by_kernels(engines, x.detach(), finish, n_bins, count)

    @staticmethod
    def backward(ctx, by_out: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        with torch.autocast(x.device.type, enabled=False):  # the forward pass is repeated in float32
            return _Differentiable._backward(ctx, x, by_out), None, None, None, None

    @staticmethod
    def _backward(ctx, x: torch.Tensor, by_out: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled():  # a second-order gradient will be asked for
            whole = _in_pytorch(ctx.engines, x, ctx.finish)
            return torch.autograd.grad(whole, x, by_out, create_graph=True)[0]
        parts, first = [], 0
        for part in ctx.engines:
            by_part = by_out[:, first : first + len(part.kernels)]
            gradient = part.gradient(x.detach(), ctx.finish, by_part)
            if gradient is None:
                with torch.enable_grad():
                    alone = x.detach().requires_grad_()
                    gradient = torch.autograd.grad(_in_pytorch([part], alone, ctx.finish), alone, by_part)[0]
            parts.append(gradient)
            first += len(part.kernels)
        return sum(parts[1:], parts[0])
