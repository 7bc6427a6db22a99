"""Scale each window to unit norm, on CUDA as one GPU kernel instead of several launches."""

import torch

from sweep.engines.derivatives import differentiates
from sweep.engines.gpu import fused
from sweep.engines.gpu.kernels import triton

_SAMPLES = 16_384  # samples of a window that stay in registers

if triton is not None:
    import triton.language as tl

    @triton.jit
    def _scale(audio, out, length, offset, SAMPLES: tl.constexpr):  # type: ignore[no-untyped-def]
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


def unit_norm(audio: torch.Tensor, offset: float) -> torch.Tensor:
    """Divide each row of (batch, samples) by its Euclidean norm plus an offset."""
    if not (fused.serves(audio) and not differentiates(audio) and audio.ndim == 2 and audio.is_contiguous()):
        return audio / (torch.linalg.vector_norm(audio, dim=-1, keepdim=True) + offset)
    out = torch.empty_like(audio)
    samples = min(_SAMPLES, triton.next_power_of_2(audio.shape[1]))
    with torch.cuda.device(audio.device):
        _scale[len(audio),](audio, out, audio.shape[1], offset, SAMPLES=samples, num_warps=16)
    return out
