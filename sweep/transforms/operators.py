"""Front-ends as operators of PyTorch, so that torch.compile keeps its graph in one piece.

Tables that follow from a clip's length, GPU kernels that Python launches, branches on the samples: a compiler could
trace none of it for any length. So a compiled graph holds a frozen front-end as one operator,

    sweep::front_end(Tensor waveform, str name, float? offset) -> Tensor,

which does at run time what the front-end does without torch.compile: the same GPU kernels and the same numbers. The
name stands for the module in this process. The gradient is a second operator; sweep::table gives what a trainable one
multiplies by beside its parameters. Without torch.compile a front-end is called directly, which takes less time than an
operator, and in torch.func and torch.export it consists of PyTorch's own operations.
"""

import contextlib
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import torch

from sweep.engines.derivatives import gradients_alone, transformed

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform

_LIBRARY = torch.library.Library("sweep", "DEF")
_COUNT = itertools.count()
_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.Undefined)
for _name, _key in torch._C.DispatchKey.__members__.items():
    _AUTOCAST = _AUTOCAST.add(_key) if _name.startswith("Autocast") else _AUTOCAST
_NAMED: "weakref.WeakValueDictionary[str, Transform]" = weakref.WeakValueDictionary()


def named(front_end: "Transform") -> str:
    """Return a name by which the operators find a front-end as long as it lives."""
    name = f"{type(front_end).__name__}-{next(_COUNT)}"
    _NAMED[name] = front_end
    return name


def _dispatched() -> torch._C._ForceDispatchKeyGuard:
    """Return a context in which operations are what they are outside of an operator, but for autocast as it is.

    Below autograd and within a dispatch mode, as torch.compile's first call is, PyTorch excludes more, conjugates too.
    """
    excluded = torch._C._dispatch_tls_local_exclude_set() & _AUTOCAST
    return torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), excluded)


def _values(waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    front_end = _NAMED[name]
    with _dispatched(), torch.no_grad():
        # A tangent of forward-mode differentiation passes through, as PyTorch's own operations are taken then.
        values = front_end._run(waveform if transformed(waveform) else waveform.detach(), offset)
        if _transposed(front_end, offset):  # the memory layout that `_shape` says
            return values.transpose(-1, -2).contiguous().transpose(-1, -2)
        return values.contiguous()


def _shape(waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    front_end = _NAMED[name]
    channels = (front_end.n_channels,) if front_end.n_channels > 1 else ()
    leading, count = (*waveform.shape[:-1], *channels), front_end.n_frames(waveform.shape[-1])
    dtype = waveform.dtype if waveform.dtype == torch.float64 else torch.float32
    like = waveform.new_empty((), dtype=dtype.to_complex() if front_end.output == "complex" else dtype)
    if _transposed(front_end, offset):
        return like.new_empty(*leading, count, front_end.n_bins).transpose(-1, -2)
    return like.new_empty(*leading, front_end.n_bins, count)


def _transposed(front_end: "Transform", offset: float | None) -> bool:
    return front_end.frames_first and offset is None


def _gradient(by_values: torch.Tensor, waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    front_end = _NAMED[name]
    alone = gradients_alone() if front_end.kernels_last else contextlib.nullcontext()
    with _dispatched(), torch.enable_grad(), alone:
        x = waveform.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(front_end._run(x, offset), x, by_values)
    return gradient.contiguous()


def _gradient_shape(by_values: torch.Tensor, waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    return torch.empty_like(waveform, memory_format=torch.contiguous_format)


def _save(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
    waveform, *ctx.numbers = inputs
    ctx.save_for_backward(waveform)


def _backward(ctx: Any, by_values: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    return torch.ops.sweep.front_end_gradient(by_values, *ctx.saved_tensors, *ctx.numbers), None, None


def _table(like: torch.Tensor, name: str, which: str) -> torch.Tensor:
    with _dispatched():
        return _NAMED[name]._made(which, like).clone()  # of which a compiled graph may reuse the memory


def _table_shape(like: torch.Tensor, name: str, which: str) -> torch.Tensor:
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    with unset_fake_temporarily():
        table = _NAMED[name]._made(which, torch.empty(0, dtype=like.dtype, device=like.device))
    return like.new_empty(table.shape, dtype=table.dtype)


_ARGUMENTS = "Tensor waveform, str name, float? offset) -> Tensor"
for _name, _arguments, _compute, _fake in (
    ("front_end", f"({_ARGUMENTS}", _values, _shape),
    ("front_end_gradient", f"(Tensor by_values, {_ARGUMENTS}", _gradient, _gradient_shape),
    ("table", "(Tensor like, str name, str which) -> Tensor", _table, _table_shape),
):
    _LIBRARY.define(_name + _arguments, tags=torch.Tag.pt2_compliant_tag)
    _LIBRARY.impl(_name, _compute, "CompositeExplicitAutograd")
    torch.library.register_fake(f"sweep::{_name}", _fake, lib=_LIBRARY)
torch.library.register_autograd("sweep::front_end", _backward, setup_context=_save, lib=_LIBRARY)
