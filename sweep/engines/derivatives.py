"""Tell what follows a tensor through a computation: a gradient, a tangent, a transform of torch.func, or a compiler."""

import contextlib
import threading
from collections.abc import Iterator

import torch
from torch.autograd import forward_ad

_THREAD = threading.local()


def traced() -> bool:
    """Return whether torch.compile traces plain tensors for this process; not torch.func's, and not torch.export."""
    return torch.compiler.is_compiling() and not exported_or_transformed()


def exported_or_transformed() -> bool:
    """Return whether torch.export traces, or torch.func is at work."""
    # is_exporting() is always true in 2.11
    return torch.compiler._is_exporting_flag or torch._C._are_functorch_transforms_active()


def differentiates(x: torch.Tensor) -> bool:
    """Return whether a gradient of the clips is asked for."""
    return x.requires_grad and torch.is_grad_enabled()


def transformed(x: torch.Tensor) -> bool:
    """Return whether torch.func or forward-mode differentiation follows a tensor; never while a graph is traced."""
    if torch.compiler.is_compiling():
        return False
    if torch._C._are_functorch_transforms_active():
        return True
    return forward_ad._current_level >= 0 and forward_ad.unpack_dual(x).tangent is not None


def numbers(x: torch.Tensor) -> torch.Tensor:
    """Return a tensor's numbers alone, without what follows it."""
    if forward_ad._current_level >= 0:
        x = forward_ad.unpack_dual(x).primal
    return x.detach() if x.requires_grad else x


def followed(x: torch.Tensor) -> bool:
    """Return whether operations on a tensor are recorded, so that none of them may write into an existing one."""
    return x.requires_grad or transformed(x)


def in_any_order() -> bool:
    """Return whether a gradient may be summed in no fixed order, which repeats to rounding only."""
    return not torch.are_deterministic_algorithms_enabled()


@contextlib.contextmanager
def gradients_alone() -> Iterator[None]:
    """Leave out GPU kernels whose values are not looked at, for their gradient does not need them."""
    _THREAD.values = False
    try:
        yield
    finally:
        _THREAD.values = True


def values_wanted() -> bool:
    """Return whether values are looked at, too."""
    return getattr(_THREAD, "values", True)


def visible(x: torch.Tensor) -> bool:
    """Return whether code may branch on a tensor's numbers: they are there, on the CPU, and of one batch."""
    if torch.compiler.is_compiling() or x.device.type != "cpu" or torch._C._are_functorch_transforms_active():
        return False
    return type(x) in (torch.Tensor, torch.nn.Parameter)  # others, such as fake tensors, may hold none
