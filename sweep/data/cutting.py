"""Cut windows out of one long tensor of audio and scale them to full scale 1, on CUDA by one GPU kernel."""

import torch

try:
    import triton
    import triton.language as tl
except ImportError:  # torch is used without Triton
    triton = None

_SAMPLES = 2048  # samples per program

if triton is not None:

    @triton.jit
    def _cut(samples, position, windows, n_samples, length, scale, SAMPLES: tl.constexpr):
        row, column = tl.program_id(0).to(tl.int64), tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
        inside, at = column < length, tl.load(position + row) + column
        x = tl.load(samples + at, mask=inside & (at >= 0) & (at < n_samples), other=0)
        tl.store(windows + row * length + column, x.to(tl.float32) * scale, mask=inside)


def cut(samples: torch.Tensor, position: torch.Tensor, length: int) -> torch.Tensor:
    """Cut windows out of audio.

    Args:
        samples: audio, (all samples,) int16, full scale 32768, or float32, full scale 1.
        position: first sample of each window, (batch,) int64, on the same device. No window may reach beyond the audio:
            that is an IndexError on the CPU and gives zeros on CUDA, where no GPU kernel can raise an error.
        length: length of each window in samples.

    Returns:
        (batch, length) float32, full scale 1.
    """
    if triton is None or not samples.is_cuda:
        # On the CPU, 64 windows of 16,384 samples: 0.13 ms; `samples[position[:, None] + arange]` takes 1.1 ms.
        return full_scale_1(samples.unfold(0, length, 1).index_select(0, position))
    windows = torch.empty(len(position), length, device=samples.device)
    scale = 1 / 32768 if samples.dtype == torch.int16 else 1.0
    with torch.cuda.device(samples.device):
        grid = len(position), triton.cdiv(length, _SAMPLES)
        _cut[grid](samples, position, windows, len(samples), length, scale, SAMPLES=_SAMPLES)
    return windows


def full_scale_1(audio: torch.Tensor) -> torch.Tensor:
    """Convert int16 audio, full scale 32768, to float32, full scale 1; return float32 audio unchanged."""
    return audio.float().mul_(1 / 32768) if audio.dtype == torch.int16 else audio
