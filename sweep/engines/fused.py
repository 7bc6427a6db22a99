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

_ROWS, _WARPS = 64, 4  # clips or frames of a program, and its warps
STEP = 32  # columns that the banded product takes at a time
POINTS, FRAMES = 32, 64  # of the spectral product: points of a slice at a time, frames of a program


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
    def _points(spectrum, start, used, circle, n_points, inside, ROWS: tl.constexpr, POINTS: tl.constexpr):
        """Real and imaginary parts of the points from `start` on of some clips' spectra, (ROWS, POINTS) each."""
        if (start >= 0) & (start + POINTS <= n_points):
            pairs = spectrum + (2 * start + tl.arange(0, 2 * POINTS))[None, :]
            pairs = tl.load(pairs, mask=inside, other=0.0)
            real, imag = tl.split(tl.reshape(pairs, [ROWS, POINTS, 2]))
        else:
            # Below 0 and above half the circle lies the conjugate mirror image.
            at = start + tl.arange(0, POINTS)
            at = tl.where(at < 0, at + circle, at)
            mirrored = at > circle // 2
            at = tl.where(mirrored, circle - at, at)
            mask = inside & (used & (at < n_points))[None, :]
            real = tl.load(spectrum + (2 * at)[None, :], mask=mask, other=0.0)
            imag = tl.load(spectrum + (2 * at + 1)[None, :], mask=mask, other=0.0)
            imag = tl.where(mirrored[None, :], -imag, imag)
        return real, imag

    @triton.jit
    def _spectral(
        spectrum, n_points, circle, starts, spectra, width, cosines, sines, out, first_bin, n_bins, n_rows, n_blocks,
        n_frames, block_frames, offset, folds, used, FOLDED: tl.constexpr, STRIDE: tl.constexpr, POINTS: tl.constexpr,
        FRAMES: tl.constexpr, ROWS: tl.constexpr, POWER: tl.constexpr, LOG: tl.constexpr, PRECISION: tl.constexpr,
    ):  # fmt: skip
        """One bin for some clips: its slice times its spectrum, folded, times the frames' phases."""
        bin, rows = tl.program_id(0), tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        points, frames = tl.arange(0, POINTS), tl.program_id(2) * FRAMES + tl.arange(0, FRAMES)
        inside = (rows < n_rows)[:, None]
        clips = spectrum + rows.to(tl.int64)[:, None] * (2 * n_points)
        start = tl.load(starts + bin)
        y_real, y_imag = tl.zeros((ROWS, FRAMES), tl.float32), tl.zeros((ROWS, FRAMES), tl.float32)
        for first in range(0, used, POINTS):
            real, imag = tl.zeros((ROWS, POINTS), tl.float32), tl.zeros((ROWS, POINTS), tl.float32)
            for fold in range(folds):
                place = fold * FOLDED + first + points
                passed = (first + points < FOLDED) & (place < width)
                h = spectra + (bin * width + place) * 2
                h_real, h_imag = tl.load(h, mask=passed, other=0.0), tl.load(h + 1, mask=passed, other=0.0)
                h_real, h_imag = h_real[None, :], h_imag[None, :]
                x_real, x_imag = _points(
                    clips, start + fold * FOLDED + first, passed, circle, n_points, inside, ROWS, POINTS
                )
                real += x_real * h_real - x_imag * h_imag
                imag += x_real * h_imag + x_imag * h_real
            at = (first + points)[:, None] * STRIDE + frames[None, :]
            c, s = tl.load(cosines + at), tl.load(sines + at)
            y_real = tl.dot(real, c, y_real, input_precision=PRECISION)
            y_real = tl.dot(-imag, s, y_real, input_precision=PRECISION)
            y_imag = tl.dot(real, s, y_imag, input_precision=PRECISION)
            y_imag = tl.dot(imag, c, y_imag, input_precision=PRECISION)
        values = _finish(y_real, y_imag, offset, POWER, LOG)
        at = (rows // n_blocks).to(tl.int64) * n_bins * n_frames + (rows % n_blocks) * block_frames
        at = at[:, None] + ((first_bin + bin) * n_frames + frames)[None, :]
        last = ((rows % n_blocks) * block_frames)[:, None] + frames[None, :] < n_frames
        tl.store(out + at, values, mask=inside & last & (frames < block_frames)[None, :])


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
        num_warps=_WARPS,
    )  # fmt: skip


def finish_spectral(
    spectrum, circle, slices, out, first_bin: int, block_frames: int, offset: float | None, power: bool, tf32: bool
) -> None:
    """Pass clips' spectra through some bins of the spectral engine, finish and store.

    Args:
        spectrum: (clips * blocks, points) complex64: the lowest points of the FFT of each block of frames.
        circle: points of the whole FFT.
        slices: starts (bins,) int32; spectra (bins, width) complex64; cosines and sines (points, frames) float32,
            filled up with zeros to multiples of 32 and of 64; folded: points after folding.
        out: (clips, all bins, frames) float32; these bins lie from `first_bin` on.
        block_frames: frames of a block.
        offset, power, tf32: as for `finish_banded`.
    """
    starts, spectra, cosines, sines, folded = slices
    clips, n_bins, n_frames = out.shape
    bins, width = spectra.shape
    grid = (bins, triton.cdiv(len(spectrum), _ROWS), cosines.shape[1] // FRAMES)
    _spectral[grid](
        torch.view_as_real(spectrum), spectrum.shape[1], circle, starts, torch.view_as_real(spectra), width,
        cosines, sines, out, first_bin, n_bins, len(spectrum), len(spectrum) // clips, n_frames, block_frames,
        offset or 0.0, -(-width // folded), min(width, folded), FOLDED=folded, STRIDE=cosines.shape[1], POINTS=POINTS,
        FRAMES=FRAMES, ROWS=_ROWS, POWER=power, LOG=offset is not None, PRECISION="tf32" if tf32 else "tf32x3",
        num_warps=_WARPS,
    )  # fmt: skip
