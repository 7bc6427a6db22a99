"""Triton kernels that end an engine on CUDA: products whose magnitude, power or logarithm is all that is stored.

The real and imaginary parts of the bins, the largest tensors of a front-end, stay in registers: the direct engine reads
the clips' frames in place, the banded engine the frames' spectra, the spectral engine the clips', and each writes the
finished spectrogram once, in the layout (batch, bins, frames) that models read.

Products take TF32 factors, rounded to the nearest since tensor cores would cut them off, or three such products that
make up float32; sums are float32.
"""

from dataclasses import dataclass

import torch

try:
    import triton
    import triton.language as tl
except ImportError:  # no Triton: the engines finish in PyTorch
    triton = None

BINS = 64  # of a block
STEP = 32  # columns of a product, or points of a slice, at a time
FRAMES = 64  # of a program of the spectral kernel
# Rows of a program, frames of a product or clips of the spectral kernel, and its warps. On an H100, ms for 1,000 clips
# of 16,384 samples, with 128 and 8, 128 and 4, 64 and 4: linear-512 0.41, 0.59, 0.61; log-4096 1.39, 1.51, 1.59.
_MANY = (128, 8)
# Where that would leave multiprocessors idle. Microseconds for 100 clips with 128 and 8, 64 and 4, 32 and 4, 32 and 2:
# linear-256 21.7, 32.4, 12.6, 14.3; log-4096 159, 178, 127, 133; cqt-12 232, 188, 149, 168; cqt-288 386, 371, 327, 328.
# cqt-12 for 400 clips and 1,000, with 128 and 8, 64 and 4, 32 and 4: 330, 261, 247; 491, 455, 423. More bins were not
# tried with so many. A long clip's blocks of frames count as clips.
_FEW = (32, 4)
_FEW_FRAMES, _FEW_CLIPS = 10_000, 512


def serves(x: torch.Tensor) -> bool:
    """Whether the kernels can take over: CUDA, float32, no gradient asked for, Triton installed."""
    return triton is not None and x.is_cuda and x.dtype == torch.float32 and not x.requires_grad


@dataclass(frozen=True)
class Blocks:
    """Matrices of some neighbouring bins each, filled up with zeros to one size.

    Attributes:
        table: (blocks, columns, 2, bins) float32: what turns columns into real and imaginary parts.
        lows: (blocks,) int32, where the first column lies.
        counts: (blocks,) int32, columns that are not zero.
        tf32: the table is rounded to it.
    """

    table: torch.Tensor
    lows: torch.Tensor
    counts: torch.Tensor
    tf32: bool


def stack(blocks: list[tuple[int, torch.Tensor]], tf32: bool) -> Blocks:
    """Blocks given as their first column and a table (columns, 2 * bins): real parts, then imaginary ones."""
    like = blocks[0][1]
    columns = -(-max(len(table) for _, table in blocks) // STEP) * STEP
    bins = max(16, 1 << (max(table.shape[1] for _, table in blocks) // 2 - 1).bit_length())
    stacked = torch.zeros(len(blocks), columns, 2, bins, device=like.device)
    for whole, (_, table) in zip(stacked, blocks, strict=True):
        whole[: len(table), :, : table.shape[1] // 2] = table.unflatten(1, (2, -1))
    lows, counts = [low for low, _ in blocks], [len(table) for _, table in blocks]
    numbers = torch.tensor([lows, counts], dtype=torch.int32, device=like.device)
    return Blocks(rounded(stacked) if tf32 else stacked, numbers[0], numbers[1], tf32)


def rounded(values: torch.Tensor) -> torch.Tensor:
    """float32 to the nearest TF32, whose lowest 13 bits are 0."""
    return ((values.view(torch.int32) + 0x1000) & -0x2000).view(torch.float32)


if triton is not None:

    @triton.jit
    def _factor(x, TF32: tl.constexpr):
        if TF32:
            bits = (x.to(tl.int32, bitcast=True) + 0x1000) & -0x2000
            x = bits.to(tl.float32, bitcast=True)
        return x

    @triton.jit
    def _finish(real, imag, offset, POWER: tl.constexpr, LOG: tl.constexpr):
        values = real * real + imag * imag
        if not POWER:
            values = tl.sqrt(values)
        if LOG:
            values = tl.log(values + offset)
        return values

    # A kernel is compiled anew, in seconds, when an integer is 1 or a multiple of 16 for the first time; not for these.
    _COUNTS = ("columns", "n_rows", "first_bin", "n_some", "n_bins", "n_frames")

    @triton.jit(do_not_specialize=_COUNTS)
    def _product(
        x, length, hop, table, lows, counts, out, columns, n_rows, first_bin, n_some, n_bins, n_frames, offset,
        BINS: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr, REFLECT: tl.constexpr, POWER: tl.constexpr,
        LOG: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """One block of bins for some rows, a row being a frame of a clip: (rows, columns) @ (columns, 2 bins)."""
        block, rows = tl.program_id(0), tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        bins = tl.arange(0, BINS)
        inside = (rows < n_rows)[:, None]
        clips = x + (rows // n_frames).to(tl.int64)[:, None] * length
        starts = (rows % n_frames * hop + tl.load(lows + block))[:, None]
        count = tl.load(counts + block)
        real, imag = tl.zeros((ROWS, BINS), tl.float32), tl.zeros((ROWS, BINS), tl.float32)
        for first in range(0, count, STEP):
            column = first + tl.arange(0, STEP)
            at = starts + column[None, :]
            used = inside & (column < count)[None, :]
            if REFLECT:
                at = tl.where(at < 0, -at, at)
                at = tl.where(at < length, at, 2 * (length - 1) - at)
            else:
                used = used & (at >= 0) & (at < length)
            values = _factor(tl.load(clips + at, mask=used, other=0.0), TF32)
            weights = table + ((block * columns + column) * 2 * BINS)[:, None] + bins[None, :]
            precision: tl.constexpr = "tf32" if TF32 else "tf32x3"
            real = tl.dot(values, tl.load(weights), real, input_precision=precision)
            imag = tl.dot(values, tl.load(weights + BINS), imag, input_precision=precision)
        values = _finish(real, imag, offset, POWER, LOG)
        bin = block * BINS + bins
        at = (rows // n_frames).to(tl.int64) * n_bins * n_frames + rows % n_frames
        at = at[:, None] + ((first_bin + bin) * n_frames)[None, :]
        tl.store(out + at, values, mask=inside & (bin < n_some)[None, :])

    @triton.jit
    def _points(spectrum, start, used, circle, n_points, inside, ROWS: tl.constexpr, STEP: tl.constexpr):
        """Real and imaginary parts of the points from `start` on of some clips' spectra, (ROWS, STEP) each."""
        if (start >= 0) & (start + STEP <= n_points):
            pairs = spectrum + (2 * start + tl.arange(0, 2 * STEP))[None, :]
            pairs = tl.load(pairs, mask=inside, other=0.0)
            real, imag = tl.split(tl.reshape(pairs, [ROWS, STEP, 2]))
        else:
            # Below 0 and above half the circle lies the conjugate mirror image.
            at = start + tl.arange(0, STEP)
            at = tl.where(at < 0, at + circle, at)
            mirrored = at > circle // 2
            at = tl.where(mirrored, circle - at, at)
            mask = inside & (used & (at < n_points))[None, :]
            real = tl.load(spectrum + (2 * at)[None, :], mask=mask, other=0.0)
            imag = tl.load(spectrum + (2 * at + 1)[None, :], mask=mask, other=0.0)
            imag = tl.where(mirrored[None, :], -imag, imag)
        return real, imag

    _POINTS = ("n_points", "circle", "width", "n_blocks", "block_frames", "folds", "folded", "used")

    @triton.jit(do_not_specialize=(*_POINTS, "first_bin", "n_bins", "n_rows", "n_frames"))
    def _spectral(
        spectrum, n_points, circle, starts, spectra, width, cosines, sines, stride, out, first_bin, n_bins, n_rows,
        n_blocks, n_frames, block_frames, offset, folds, folded, used, STEP: tl.constexpr, FRAMES: tl.constexpr,
        ROWS: tl.constexpr, POWER: tl.constexpr, LOG: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """One bin for some clips: its slice times its spectrum, folded, times the frames' phases."""
        bin, rows = tl.program_id(0), tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        points, frames = tl.arange(0, STEP), tl.program_id(2) * FRAMES + tl.arange(0, FRAMES)
        inside = (rows < n_rows)[:, None]
        clips = spectrum + rows.to(tl.int64)[:, None] * (2 * n_points)
        start = tl.load(starts + bin)
        y_real, y_imag = tl.zeros((ROWS, FRAMES), tl.float32), tl.zeros((ROWS, FRAMES), tl.float32)
        for first in range(0, used, STEP):
            real, imag = tl.zeros((ROWS, STEP), tl.float32), tl.zeros((ROWS, STEP), tl.float32)
            for fold in range(folds):
                place = fold * folded + first + points
                passed = (first + points < folded) & (place < width)
                h = spectra + (bin * width + place) * 2
                h_real, h_imag = tl.load(h, mask=passed, other=0.0), tl.load(h + 1, mask=passed, other=0.0)
                h_real, h_imag = h_real[None, :], h_imag[None, :]
                at = start + fold * folded + first
                x_real, x_imag = _points(clips, at, passed, circle, n_points, inside, ROWS, STEP)
                real += x_real * h_real - x_imag * h_imag
                imag += x_real * h_imag + x_imag * h_real
            real, imag = _factor(real, TF32), _factor(imag, TF32)
            at = (first + points)[:, None] * stride + frames[None, :]
            c, s = tl.load(cosines + at), tl.load(sines + at)
            precision: tl.constexpr = "tf32" if TF32 else "tf32x3"
            y_real = tl.dot(real, c, y_real, input_precision=precision)
            y_real = tl.dot(-imag, s, y_real, input_precision=precision)
            y_imag = tl.dot(real, s, y_imag, input_precision=precision)
            y_imag = tl.dot(imag, c, y_imag, input_precision=precision)
        values = _finish(y_real, y_imag, offset, POWER, LOG)
        at = (rows // n_blocks).to(tl.int64) * n_bins * n_frames + (rows % n_blocks) * block_frames
        at = at[:, None] + ((first_bin + bin) * n_frames + frames)[None, :]
        last = ((rows % n_blocks) * block_frames)[:, None] + frames[None, :] < n_frames
        tl.store(out + at, values, mask=inside & last & (frames < block_frames)[None, :])


def finish_product(
    x: torch.Tensor, hop: int, blocks: Blocks, out: torch.Tensor, first_bin: int, n_some: int, *, reflect: bool,
    offset: float | None, power: bool,
) -> None:  # fmt: skip
    """Multiply frames by blocks of bins, finish and store.

    Args:
        x: (clips, length) float32, contiguous. Frame t reads from t * hop on; what lies outside is 0.
        hop: between frames.
        blocks: of the bins; their lows count from a frame's start.
        out: (clips, all bins, frames) float32; `n_some` bins from `first_bin` on are written.
        reflect: outside lies the clip's mirror image.
        offset: added before the logarithm; None: no logarithm.
        power: the square of the magnitude.
    """
    clips, n_bins, n_frames = out.shape
    count, columns, _, bins = blocks.table.shape
    rows, warps = _FEW if clips * n_frames <= _FEW_FRAMES else _MANY
    grid = (count, triton.cdiv(clips * n_frames, rows))
    _product[grid](
        x, x.shape[1], hop, blocks.table, blocks.lows, blocks.counts, out, columns, clips * n_frames, first_bin, n_some,
        n_bins, n_frames, offset or 0.0, BINS=bins, ROWS=rows, STEP=STEP, REFLECT=reflect, POWER=power,
        LOG=offset is not None, TF32=blocks.tf32, num_warps=warps,
    )  # fmt: skip


def finish_spectral(
    spectrum, circle, slices, out, first_bin: int, block_frames: int, offset: float | None, power: bool, tf32: bool
) -> None:
    """Pass clips' spectra through some bins of the spectral engine, finish and store.

    Args:
        spectrum: (clips * blocks, points) complex64: the lowest points of the FFT of each block of frames.
        circle: points of the whole FFT.
        slices: starts (bins,) int32; spectra (bins, width) complex64; cosines and sines (points, frames) float32,
            filled up with zeros to multiples of `STEP` and `FRAMES`; folded: points after folding.
        out: (clips, all bins, frames) float32; these bins lie from `first_bin` on.
        block_frames: frames of a block.
        offset, power: as for `finish_product`.
        tf32: round factors to it; else three products.
    """
    starts, spectra, cosines, sines, folded = slices
    clips, n_bins, n_frames = out.shape
    bins, width = spectra.shape
    rows, warps = _FEW if len(spectrum) <= _FEW_CLIPS else _MANY
    grid = (bins, triton.cdiv(len(spectrum), rows), cosines.shape[1] // FRAMES)
    _spectral[grid](
        torch.view_as_real(spectrum), spectrum.shape[1], circle, starts, torch.view_as_real(spectra), width,
        cosines, sines, cosines.shape[1], out, first_bin, n_bins, len(spectrum), len(spectrum) // clips, n_frames,
        block_frames, offset or 0.0, -(-width // folded), folded, min(width, folded), STEP=STEP, FRAMES=FRAMES,
        ROWS=rows, POWER=power, LOG=offset is not None, TF32=tf32, num_warps=warps,
    )  # fmt: skip
