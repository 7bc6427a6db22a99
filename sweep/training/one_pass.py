"""Unit-norm scaling and the loss gradient as one GPU kernel each, instead of several launches."""

import torch

from sweep.engines.derivatives import differentiates
from sweep.engines.gpu import fused
from sweep.engines.gpu.kernels import triton

_SAMPLES = 16_384  # samples of a window that stay in registers
_CELLS = 512  # matrix entries per program

if triton is not None:
    import triton.language as tl

    @triton.jit
    def _scale(audio, out, length, offset, SAMPLES: tl.constexpr):
        row = tl.program_id(0).to(tl.int64) * length
        squares = tl.zeros((SAMPLES,), tl.float32)
        for first in range(0, length, SAMPLES):
            at = first + tl.arange(0, SAMPLES)
            x = tl.load(audio + row + at, mask=at < length, other=0.0)
            squares += x * x
        norm = tl.sqrt(tl.sum(squares, axis=0)) + offset
        for first in range(0, length, SAMPLES):  # read again, from the cache
            at = first + tl.arange(0, SAMPLES)
            x = tl.load(audio + row + at, mask=at < length, other=0.0)
            tl.store(out + row + at, x / norm, mask=at < length)

    @triton.jit
    def _differentiate(logits, target, out, n, scale, CELLS: tl.constexpr):
        at = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
        wanted = tl.load(target + at, mask=at < n)
        tl.store(out + at, (tl.sigmoid(tl.load(logits + at, mask=at < n)) - wanted) * scale, mask=at < n)


def unit_norm(audio: torch.Tensor, offset: float) -> torch.Tensor:
    """Divide each row of (batch, samples) by its Euclidean norm plus an offset."""
    if not _serves(audio):
        return audio / (torch.linalg.vector_norm(audio, dim=-1, keepdim=True) + offset)
    out = torch.empty_like(audio)
    samples = min(_SAMPLES, triton.next_power_of_2(audio.shape[1]))
    with torch.cuda.device(audio.device):
        _scale[len(audio),](audio, out, audio.shape[1], offset, SAMPLES=samples, num_warps=16)
    return out


def cross_entropy_gradient(logits: torch.Tensor, target: torch.Tensor, scale: float) -> torch.Tensor:
    """Compute (sigmoid(logits) - target) scale for tensors of one shape."""
    if not (_serves(logits) and _serves(target) and logits.shape == target.shape):
        return (logits.sigmoid() - target).mul_(scale)
    out, n = torch.empty_like(logits), logits.numel()
    with torch.cuda.device(logits.device):
        _differentiate[triton.cdiv(n, _CELLS),](logits, target, out, n, scale, CELLS=_CELLS)
    return out


def _serves(x: torch.Tensor) -> bool:
    return fused.serves(x) and not differentiates(x) and x.ndim == 2 and x.is_contiguous()
