"""Triton kernels that end an engine on CUDA: small products whose magnitude, power or logarithm is all that is stored.

The real and imaginary parts of the bins, the largest tensors of a front-end, stay in registers: the banded engine reads
the frames' spectra and the spectral engine the clips', and each writes the finished spectrogram once, in the layout
(batch, bins, frames) that models read.
"""

import torch

try:
    import triton
    import triton.language as tl
except ImportError:  # no Triton: the engines finish in PyTorch
    triton = None

_ROWS = 64  # clips or frames of a program
STEP = 32  # columns that the banded product takes at a time


def serves(x: torch.Tensor) -> bool:
    """Whether the kernels can take over: CUDA, float32, no gradient asked for, Triton installed."""
    return triton is not None and x.is_cuda and x.dtype == torch.float32 and not x.requires_grad


if triton is not None:

    @triton.jit
    def _finish(real, imag, offset, POWER: tl.constexpr, LOG: tl.constexpr):
        values = real * real + imag * imag
        if not POWER:
            values = tl.sqrt(values)
        if LOG:
            values = tl.log(values + offset)
        return values

    @triton.jit
    def _banded(
        points, row_stride, table, lows, out, n_rows, first_bin, n_some, n_bins, n_frames, offset,
        COLUMNS: tl.constexpr, BINS: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr,
        POWER: tl.constexpr, LOG: tl.constexpr, PRECISION: tl.constexpr,
    ):  # fmt: skip
        """One block of bins for some rows (a row is a frame of a clip): (rows, columns) @ (columns, 2 bins)."""
        block, rows = tl.program_id(0), tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        bins, columns = tl.arange(0, BINS), tl.arange(0, STEP)
        low = tl.load(lows + block)
        inside = rows < n_rows
        real, imag = tl.zeros((ROWS, BINS), tl.float32), tl.zeros((ROWS, BINS), tl.float32)
        for first in range(0, COLUMNS, STEP):
            column = first + columns
            x = tl.load(
                points + rows.to(tl.int64)[:, None] * row_stride + (low + column)[None, :],
                mask=inside[:, None] & (low + column < row_stride)[None, :],
                other=0.0,
            )
            at = table + ((block * COLUMNS + column) * 2 * BINS)[:, None] + bins[None, :]
            real = tl.dot(x, tl.load(at), real, input_precision=PRECISION)
            imag = tl.dot(x, tl.load(at + BINS), imag, input_precision=PRECISION)
        values = _finish(real, imag, offset, POWER, LOG)
        bin = block * BINS + bins
        at = (rows // n_frames).to(tl.int64) * n_bins * n_frames + rows % n_frames
        tl.store(
            out + at[:, None] + ((first_bin + bin) * n_frames)[None, :],
            values,
            mask=inside[:, None] & (bin < n_some)[None, :],
        )

    @triton.jit
    def _spectral(
        spectrum, clip_stride, circle, starts, spectra, width, cosines, sines, out, first_bin, n_bins, n_clips,
        n_frames, offset, folds, FOLDED: tl.constexpr, POINTS: tl.constexpr, FRAMES: tl.constexpr,
        ROWS: tl.constexpr, POWER: tl.constexpr, LOG: tl.constexpr, PRECISION: tl.constexpr,
    ):  # fmt: skip
        """One bin for some clips: its slice times its spectrum, folded, times the frames' phases."""
        bin, rows = tl.program_id(0), tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        points, frames = tl.arange(0, POINTS), tl.arange(0, FRAMES)
        inside = rows < n_clips
        clips = spectrum + rows.to(tl.int64)[:, None] * clip_stride
        start = tl.load(starts + bin)
        real, imag = tl.zeros((ROWS, POINTS), tl.float32), tl.zeros((ROWS, POINTS), tl.float32)
        for fold in range(folds):
            place = fold * FOLDED + points
            used = (points < FOLDED) & (place < width)
            at = start + place
            # Below 0 and above half the circle lies the conjugate mirror image.
            at = tl.where(at < 0, at + circle, at)
            mirrored = at > circle // 2
            at = tl.where(mirrored, circle - at, at)
            mask = inside[:, None] & used[None, :]
            x_real = tl.load(clips + (2 * at)[None, :], mask=mask, other=0.0)
            x_imag = tl.load(clips + (2 * at + 1)[None, :], mask=mask, other=0.0)
            x_imag = tl.where(mirrored[None, :], -x_imag, x_imag)
            h = spectra + (bin * width + place) * 2
            h_real, h_imag = tl.load(h, mask=used, other=0.0)[None, :], tl.load(h + 1, mask=used, other=0.0)[None, :]
            real += x_real * h_real - x_imag * h_imag
            imag += x_real * h_imag + x_imag * h_real
        at = points[:, None] * FRAMES + frames[None, :]
        c, s = tl.load(cosines + at), tl.load(sines + at)
        y_real = tl.dot(real, c, input_precision=PRECISION) - tl.dot(imag, s, input_precision=PRECISION)
        y_imag = tl.dot(real, s, input_precision=PRECISION) + tl.dot(imag, c, input_precision=PRECISION)
        values = _finish(y_real, y_imag, offset, POWER, LOG)
        at = (rows.to(tl.int64)[:, None] * n_bins + first_bin + bin) * n_frames + frames[None, :]
        tl.store(out + at, values, mask=inside[:, None] & (frames < n_frames)[None, :])


def finish_banded(
    points, table, lows, out, first_bin: int, n_some: int, offset: float | None, power: bool, tf32: bool
) -> None:
    """Multiply the spectra of frames by banded blocks, finish and store.

    Args:
        points: (clips * frames, columns) float32, real and imaginary parts of each frame's spectrum by turns.
        table: (blocks, columns, 2, bins) float32: of each block, what turns its columns into real and imaginary parts.
        lows: (blocks,) int32, the first column of each.
        out: (clips, all bins, frames) float32; `n_some` bins from `first_bin` on are written.
        offset: added before the logarithm; None: no logarithm.
        power: the square of the magnitude.
        tf32: round the factors to TF32; else three products that make up float32.
    """
    _, n_bins, n_frames = out.shape
    blocks, columns, _, bins = table.shape
    grid = (blocks, triton.cdiv(len(points), _ROWS))
    _banded[grid](
        points, points.stride(0), table, lows, out, len(points), first_bin, n_some, n_bins, n_frames, offset or 0.0,
        COLUMNS=columns, BINS=bins, ROWS=_ROWS, STEP=STEP, POWER=power, LOG=offset is not None,
        PRECISION="tf32" if tf32 else "tf32x3",
    )  # fmt: skip


def finish_spectral(spectrum, circle, slices, out, first_bin: int, offset: float | None, power: bool, tf32: bool):
    """Pass clips' spectra through some bins of the spectral engine, finish and store.

    Args:
        spectrum: (clips, circle // 2 + 1) complex64.
        circle: points of the FFT.
        slices: starts (bins,) int32; spectra (bins, width) complex64; cosines and sines (points, frames) float32,
            filled up with zeros to powers of two; folded: points after folding.
        out: (clips, all bins, frames) float32; these bins lie from `first_bin` on.
        offset, power, tf32: as for `finish_banded`.
    """
    starts, spectra, cosines, sines, folded = slices
    clips, n_bins, n_frames = out.shape
    bins, width = spectra.shape
    grid = (bins, triton.cdiv(clips, _ROWS))
    _spectral[grid](
        torch.view_as_real(spectrum), 2 * spectrum.stride(0), circle, starts, torch.view_as_real(spectra), width,
        cosines, sines, out, first_bin, n_bins, clips, n_frames, offset or 0.0, -(-width // folded),
        FOLDED=folded, POINTS=cosines.shape[0], FRAMES=cosines.shape[1], ROWS=_ROWS, POWER=power,
        LOG=offset is not None, PRECISION="tf32" if tf32 else "tf32x3",
    )  # fmt: skip
