"""Magnitudes to a power, as accurate as the real and imaginary parts wherever the result is a normal number.

real^2 + imag^2 is the fastest way there, but in float32 it loses magnitudes below 1e-19 and above 1e19. On a CPU its
smallest and its largest value say whether it lost any; if so, the slower hypot is taken instead. Where the parts
themselves may have left the range, `OutOfRange` asks for the same clips at another scale.
"""

from typing import TypeAlias

import torch

from sweep.engines.derivatives import followed, numbers, transformed, visible

# Squares, and magnitudes, between 2^-bits and 2^bits lost nothing, even if numbers below 2^-126 (2^-1022) count as 0.
_BITS = {torch.float32: 100, torch.float64: 900, torch.complex64: 100, torch.complex128: 900}
# Clips with a peak beyond 2^-bits .. 2^bits are scaled by that much; no more, so that gradients keep to the range too.
_SCALED = {torch.float32: 40, torch.float64: 360}
# Real and imaginary parts up to which hypot is as fast: one operation instead of three.
_FEW = 16_384

Parts: TypeAlias = torch.Tensor | tuple[torch.Tensor, torch.Tensor]


class OutOfRange(ArithmeticError):
    """The clips have to be scaled before an engine evaluates them."""


def raised(parts: Parts, exponent: float = 1.0, careful: bool = False, summed: bool = False) -> torch.Tensor:
    """Compute magnitudes to a power, with a gradient of 0 where they are 0.

    Args:
        parts: complex values, or their real and imaginary parts.
        exponent: exponent of the magnitude, above 0.
        careful: whether the parts are known to be in range, so that hypot is all that is needed.
        summed: whether the values will be summed, so that also what is lost in them counts.

    Raises:
        OutOfRange: numbers may have been lost; scale the clips by `scales` and be careful.
    """
    some = parts[0] if isinstance(parts, tuple) else parts
    if careful or not visible(some):
        if torch.onnx.is_in_onnx_export():  # it knows no hypot
            return _root(_square(parts), exponent)
        return _by_hypot(parts, exponent)
    bits = _BITS[some.dtype] * min(1.0, 2 / exponent)
    if exponent != 1 or some.numel() > _FEW or not isinstance(parts, tuple):
        squared = _square(parts)
        if _within(squared, bits, parts):
            return _root(squared, exponent)
        if summed:
            raise OutOfRange
    magnitude = _by_hypot(parts, 1.0)
    if not _within(magnitude, bits, parts):
        raise OutOfRange
    return magnitude if exponent == 1 else magnitude**exponent


def in_range(parts: torch.Tensor, exponent: float, out: torch.Tensor | None = None) -> torch.Tensor:
    """Compute magnitudes of complex values to a power, as `raised` does where nothing is lost; no gradient follows.

    Args:
        parts: complex values.
        exponent: exponent of the magnitude, above 0.
        out: where to write the result; None: into a new tensor.

    Raises:
        OutOfRange: numbers may have been lost.
    """
    squared = _square(parts, out)
    if not _within(squared, _BITS[parts.dtype] * min(1.0, 2 / exponent), parts):
        raise OutOfRange
    return squared if exponent == 2 else _power_(squared, exponent / 2)


def slopes(parts: torch.Tensor, by_values: torch.Tensor, exponent: float, magnitudes: torch.Tensor | None):
    """Compute by_values |parts|^(exponent - 2) of complex values of which `in_range` lost nothing; 0 where they are 0.

    Args:
        magnitudes: their magnitudes, if they are known and the exponent is 1.
    """
    if exponent == 2:
        return by_values
    if magnitudes is not None:
        return by_values / magnitudes.clamp(min=2.0 ** -_BITS[parts.dtype])
    squared = _square(parts)
    return by_values * _over(_power_(squared.clone(), exponent / 2), squared)


def powered(values: torch.Tensor, exponent: float) -> torch.Tensor:
    """Raise what is above 0 of some new values to a power, the rest to 0; the gradient there is 0 too."""
    if not followed(values):
        return _power_(values.relu_(), exponent)
    if exponent == 1:
        return values.relu()
    if not (torch.compiler.is_compiling() or transformed(values)):
        return _Power.apply(values, exponent)
    above = values > 0
    return _power(values.masked_fill(~above, 1.0), exponent).masked_fill(~above, 0.0)


def _power(values: torch.Tensor, exponent: float) -> torch.Tensor:
    return values.sqrt() if exponent == 0.5 else values.pow(exponent)


def _power_(values: torch.Tensor, exponent: float) -> torch.Tensor:
    return values.sqrt_() if exponent == 0.5 else values if exponent == 1 else values.pow_(exponent)


class _Power(torch.autograd.Function):
    """A power of what is above 0, whose derivative, exponent y / x, needs neither another power nor a mask."""

    @staticmethod
    def forward(ctx, values: torch.Tensor, exponent: float) -> torch.Tensor:
        out = _power_(values.relu(), exponent)
        ctx.save_for_backward(values, out)
        ctx.exponent = exponent
        return out

    @staticmethod
    def backward(ctx, by_out: torch.Tensor) -> tuple[torch.Tensor, None]:
        values, out = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative may follow
            return _Slope.apply(values, by_out * ctx.exponent, ctx.exponent), None
        return _over(out, values) * (by_out * ctx.exponent), None


class _Slope(torch.autograd.Function):
    """A factor times values^(exponent - 1) of what is above 0, whose derivative never holds the squares of values."""

    @staticmethod
    def forward(ctx, values: torch.Tensor, factor: torch.Tensor, exponent: float) -> torch.Tensor:
        slope = _over(_power_(values.relu(), exponent), values)
        ctx.save_for_backward(values, factor, slope)
        ctx.exponent = exponent
        return factor * slope

    @staticmethod
    def backward(ctx, by_out: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        values, factor, slope = ctx.saved_tensors
        by_values = _over(by_out * (ctx.exponent - 1) * slope * factor, values)
        return by_values, by_out * slope, None


def _over(values: torch.Tensor, divisor: torch.Tensor) -> torch.Tensor:
    """Divide values, 0 where the divisor is not above 0, by it."""
    return values / divisor.clamp(min=torch.finfo(divisor.dtype).tiny)


def scales(x: torch.Tensor) -> torch.Tensor:
    """Return a power of two for each clip of (batch, samples), (batch, 1), that brings it near enough to 1."""
    peaks = x.detach().abs().amax(-1, keepdim=True)
    bits = _SCALED[x.dtype]
    scale = torch.ones_like(peaks).masked_fill(peaks > 2.0**bits, 2.0**-bits)
    return scale.masked_fill((peaks < 2.0**-bits) & (peaks > 0), 2.0**bits)


def unscaled(values: torch.Tensor, scale: torch.Tensor, exponent: float | tuple[float, ...]) -> torch.Tensor:
    """Return the values that clips without their scale have.

    Args:
        values: values of the scaled clips, (batch, bins, frames) or (batch, channels, bins, frames).
        scale: scale of each clip, (batch, 1).
        exponent: exponent of the magnitude in the values; a tuple: in each channel.
    """
    if isinstance(exponent, tuple):
        channels = zip(values.unbind(1), exponent, strict=True)
        return torch.stack([unscaled(channel, scale, power) for channel, power in channels], dim=1)
    steps = int(-(-exponent // 1))  # one factor might be out of range
    for _ in range(steps):
        values = values * (scale ** (-exponent / steps))[:, None]
    return values


def _square(parts: Parts, out: torch.Tensor | None = None) -> torch.Tensor:
    if isinstance(parts, tuple):
        real, imag = parts
        return torch.addcmul(real.square(), imag, imag)
    squares = torch.view_as_real(parts).square()  # neighbours in memory: a fifth faster than real and imaginary parts
    return torch.add(squares[..., 0], squares[..., 1], out=out)


def _root(squared: torch.Tensor, exponent: float) -> torch.Tensor:
    if exponent == 2:
        return squared
    return powered(squared, exponent / 2) if followed(squared) else _power_(squared, exponent / 2)


def _by_hypot(parts: Parts, exponent: float) -> torch.Tensor:
    real, imag = _two(parts)
    if not (followed(real) or followed(imag)):
        magnitude = torch.hypot(real, imag)
        return magnitude if exponent == 1 else magnitude**exponent
    silent = _silent(parts)
    magnitude = torch.hypot(real.masked_fill(silent, 1.0), imag)
    return (magnitude if exponent == 1 else magnitude**exponent).masked_fill(silent, 0.0)


def _within(values: torch.Tensor, bits: float, parts: Parts) -> bool:
    """Return whether all of some new values lie between 2^-bits and 2^bits, digital silence apart."""
    flat = numbers(values)
    if not flat.is_contiguous():
        flat = flat.as_strided((flat.numel(),), (1,))  # in memory's order, which is several times as fast
    low, high = (bound.item() for bound in torch.aminmax(flat))
    if low == 0:
        if not flat.new_full((1,), torch.finfo(flat.dtype).tiny).div_(2).any():  # set_flush_denormal: 0 may be a loss
            return False
        silent = _silent(parts)
        if high == 0:
            return bool(silent.all())
        low = values.detach().masked_fill(silent, high).amin().item()
    return 2.0**-bits <= low and high <= 2.0**bits


def _silent(parts: Parts) -> torch.Tensor:
    real, imag = _two(parts)
    return (real == 0) & (imag == 0)


def _two(parts: Parts) -> tuple[torch.Tensor, torch.Tensor]:
    return parts if isinstance(parts, tuple) else (parts.real, parts.imag)
