"""Front-ends as operators of PyTorch, so that torch.compile keeps its graph in one piece.

Tables that follow from a clip's length, GPU kernels that Python launches, branches on the samples: a compiler could
trace none of it for any length. So a compiled graph holds a frozen front-end as one operator,

    sweep::front_end(Tensor waveform, str name, float? offset) -> Tensor,

which does at run time what the front-end does without torch.compile: the same GPU kernels and the same numbers. The
name stands for the module in this process, and says what shapes follow from, since a compiler that finds the graph of
another process in its cache, by the graph's text, takes them from there. The compiler sees two operators, for values
and gradient, which need no Python kernel of autograd at each call; sweep::table gives what a trainable one multiplies
by beside its parameters. Without torch.compile a front-end is called directly, which takes less time than an operator,
and in torch.func and torch.export it consists of PyTorch's own operations.
"""

import contextlib
import itertools
import weakref
from typing import TYPE_CHECKING, Any

import torch

from sweep.engines.derivatives import differentiates, exported_or_transformed, numbers, transformed
from sweep.transforms import recorded

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform

_LIBRARY = torch.library.Library("sweep", "DEF")
_COUNT = itertools.count()
_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.Undefined)
for _name, _key in torch._C.DispatchKey.__members__.items():
    _AUTOCAST = _AUTOCAST.add(_key) if _name.startswith("Autocast") else _AUTOCAST
_AS_IT_IS = contextlib.nullcontext()
_NAMED: "weakref.WeakValueDictionary[str, Transform]" = weakref.WeakValueDictionary()


def named(front_end: "Transform") -> str:
    """Return a name by which the operators find a front-end as long as it lives."""
    name = f"{type(front_end).__name__}-{next(_COUNT)}"
    _NAMED[name] = front_end
    return name


def _found(name: str) -> "Transform":
    if name not in _NAMED:
        raise RuntimeError(f"front-end {name} of a compiled graph is gone; keep the module until the last gradient")
    return _NAMED[name]


def _dispatched() -> contextlib.AbstractContextManager:
    """Return a context in which operations are what they are outside of an operator, but for autocast as it is.

    Within a dispatch mode, as torch.compile's first call is, PyTorch excludes more, conjugates too.
    """
    excluded = torch._C._dispatch_tls_local_exclude_set()
    if not excluded.has(torch._C.DispatchKey.Conjugate):
        return _AS_IT_IS
    return torch._C._ForceDispatchKeyGuard(torch._C._dispatch_tls_local_include_set(), excluded & _AUTOCAST)


def operand(name: str) -> str | None:
    """Return the operator's name for a front-end while torch.compile traces; None for one with parameters.

    The compiler calls it once for a name and takes the answer for a constant: a graph has nothing else to check.
    """
    front_end = _found(name)
    if exported_or_transformed() or any(True for _ in front_end.parameters()):
        return None
    layout = front_end.hop_length, front_end._whole, front_end.output == "complex", front_end.frames_first
    whole = f"{name} {(front_end.n_channels, front_end.n_bins, *layout)}"
    _NAMED[whole] = front_end
    return whole


def sized(name: str, which: str, device: str) -> str:
    """Return the operator's name for a table on a kind of device: with its shape. It is asked for as `operand` is."""
    return f"{which} {tuple(_table_of(name, which, torch.float32, torch.device(device)).shape)}"


for _constant in (operand, sized):  # torch.compiler.assume_constant_result, which takes 1 s to import
    _constant.__dict__["_dynamo_marked_constant"] = True


def _front_end(waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    if differentiates(waveform):
        return _Differentiable.apply(waveform, name, offset)
    return torch.ops.sweep.front_end_values(waveform, name, offset)


class _Differentiable(torch.autograd.Function):
    @staticmethod
    def forward(waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
        return torch.ops.sweep.front_end_values(waveform, name, offset)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
        waveform, *ctx.numbers = inputs
        ctx.save_for_backward(waveform)

    @staticmethod
    def backward(ctx: Any, by_values: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return torch.ops.sweep.front_end_gradient(by_values, *ctx.saved_tensors, *ctx.numbers), None, None


def _values(waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    front_end = _found(name)
    with _dispatched():
        # A tangent of forward-mode differentiation passes through, as PyTorch's own operations are taken then.
        alone = waveform.requires_grad and not transformed(waveform)
        values = front_end._run(waveform.detach() if alone else waveform, offset)
        if not _transposed(front_end, offset):  # the memory layout that `_shape` says
            values = values.contiguous()
        elif not values.mT.is_contiguous():
            values = values.mT.contiguous().mT
        return values.clone() if values.storage_offset() else values


def _shape(waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    front_end = _found(name)
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
    if waveform.ndim != 2:
        clips = waveform.reshape(-1, waveform.shape[-1])
        by_clips = by_values.reshape(len(clips), *by_values.shape[waveform.ndim - 1 :])
        return _gradient(by_clips, clips, name, offset).reshape(waveform.shape)
    with _dispatched():
        x = numbers(waveform if waveform.dtype == torch.float64 else waveform.float())
        gradient = recorded.gradient(_found(name), x, numbers(by_values), offset)
        return gradient if waveform.dtype == x.dtype else gradient.to(waveform.dtype)


def _gradient_shape(by_values: torch.Tensor, waveform: torch.Tensor, name: str, offset: float | None) -> torch.Tensor:
    return torch.empty_like(waveform, memory_format=torch.contiguous_format)


def _table(like: torch.Tensor, name: str, which: str) -> torch.Tensor:
    with _dispatched():
        return _found(name)._made(which.split()[0], like).clone()  # of which a compiled graph may reuse the memory


def _table_shape(like: torch.Tensor, name: str, which: str) -> torch.Tensor:
    table = _table_of(name, which.split()[0], like.dtype, like.device)
    return like.new_empty(table.shape, dtype=table.dtype)


def _table_of(name: str, which: str, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    from torch._subclasses.fake_tensor import unset_fake_temporarily

    with unset_fake_temporarily():
        return _found(name)._made(which, torch.empty(0, dtype=dtype, device=device))


_ARGUMENTS = "Tensor waveform, str name, float? offset) -> Tensor"
for _name, _arguments, _compute, _fake in (
    ("front_end_values", f"({_ARGUMENTS}", _values, _shape),
    ("front_end_gradient", f"(Tensor by_values, {_ARGUMENTS}", _gradient, _gradient_shape),
    ("table", "(Tensor like, str name, str which) -> Tensor", _table, _table_shape),
):
    _LIBRARY.define(_name + _arguments, tags=torch.Tag.pt2_compliant_tag)
    _LIBRARY.impl(_name, _compute, "CompositeExplicitAutograd")
    torch.library.register_fake(f"sweep::{_name}", _fake, lib=_LIBRARY)
_LIBRARY.define(f"front_end({_ARGUMENTS}", tags=torch.Tag.pt2_compliant_tag)
_LIBRARY.impl("front_end", _front_end, "CompositeImplicitAutograd")
