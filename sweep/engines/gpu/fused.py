"""Launch the Triton kernels that multiply, take magnitude, power or logarithm, and store only the spectrogram.

The real and imaginary parts of the bins, the largest tensors of a front-end, stay in registers: the direct engine reads
the clips' frames in place, the banded engine the frames' spectra, the spectral engine the clips' spectra. Each writes
the finished spectrogram once, in the layout (batch, bins, frames) that models read. A gradient recomputes the parts.
"""

from dataclasses import dataclass

import torch

from sweep.engines.derivatives import transformed

BINS = 64  # bins per block
STEP = 32  # columns of a product, or points of a slice, at a time
FRAMES = 64  # frames per program of the spectral GPU kernel
# Rows of a program (frames of a product, or clips of the spectral GPU kernel) and its warps: the fastest programs of
# the Triton kernels in experiments/engines/README.md.
MANY = (128, 8)
# Used where that would leave multiprocessors idle (the same table). A long clip's blocks of frames count as clips.
FEW = (32, 4)
FEW_FRAMES, FEW_CLIPS = 10_000, 1_000


def serves(x: torch.Tensor) -> bool:
    """Return whether the Triton kernels can process a tensor: CUDA, float32, no tracing, no torch.func, Triton."""
    if not x.is_cuda or x.dtype != torch.float32 or torch.compiler.is_compiling() or transformed(x):
        return False
    from sweep.engines.gpu import kernels  # imported here, as below, because Triton takes 0.15 s to import

    return kernels.triton is not None


@dataclass(frozen=True)
class Blocks:
    """Matrices of some neighbouring bins each, padded with zeros to one size.

    Attributes:
        table: matrices from columns to real and imaginary parts, (blocks, columns, 2, bins) float32.
        lows: position of each block's first column, (blocks,) int32.
        counts: number of columns before the padding, (blocks,) int32.
        tf32: whether the table is rounded to TF32.
    """

    table: torch.Tensor
    lows: torch.Tensor
    counts: torch.Tensor
    tf32: bool


def stack(blocks: list[tuple[int, torch.Tensor]], tf32: bool) -> Blocks:
    """Stack blocks, each given by its first column and a table (columns, 2 * bins), real parts first."""
    like = blocks[0][1]
    columns = -(-max(len(table) for _, table in blocks) // STEP) * STEP
    bins = max(16, 1 << (max(table.shape[1] for _, table in blocks) // 2 - 1).bit_length())
    stacked = like.new_zeros(len(blocks), columns, 2, bins)
    for whole, (_, table) in zip(stacked, blocks, strict=True):
        whole[: len(table), :, : table.shape[1] // 2] = table.unflatten(1, (2, -1))
    lows, counts = [low for low, _ in blocks], [len(table) for _, table in blocks]
    numbers = torch.tensor([lows, counts], dtype=torch.int32, device=like.device)
    return Blocks(rounded(stacked) if tf32 else stacked, numbers[0], numbers[1], tf32)


def rounded(values: torch.Tensor) -> torch.Tensor:
    """Round float32 values to the nearest TF32, whose lowest 13 bits are 0."""
    return ((values.view(torch.int32) + 0x1000) & -0x2000).view(torch.float32)


def finish_product(
    x: torch.Tensor, hop: int, blocks: Blocks, out: torch.Tensor, first_bin: int, n_some: int, *, reflect: bool,
    offset: float | None, power: bool,
) -> None:  # fmt: skip
    """Multiply frames by blocks of bins, finish the values and store them.

    Args:
        x: clips, (clips, length) float32, contiguous. Frame t reads from t * hop on; values outside are 0.
        hop: distance between frames in entries of x.
        blocks: matrices of the bins; their lows count from a frame's start.
        out: output, (clips, all bins, frames) float32, of which `n_some` bins from `first_bin` on are written.
        reflect: whether values outside are the clip's mirror image instead of 0.
        offset: number added before the logarithm; None: no logarithm.
        power: whether the magnitude is squared.
    """
    from sweep.engines.gpu import kernels

    clips, n_bins, n_frames = out.shape
    count, columns, _, bins = blocks.table.shape
    rows, warps = FEW if clips * n_frames <= FEW_FRAMES else MANY
    kernels.finish_product[(count * _tiles(clips * n_frames, rows),)](
        x, x.shape[1], hop, blocks.table, blocks.lows, blocks.counts, out, columns, clips * n_frames, count, first_bin,
        n_some, n_bins, n_frames, offset or 0.0, BINS=bins, ROWS=rows, STEP=STEP, REFLECT=reflect, POWER=power,
        LOG=offset is not None, TF32=blocks.tf32, num_warps=warps,
    )  # fmt: skip


def product_gradient(
    x: torch.Tensor, hop: int, blocks: Blocks, by_out: torch.Tensor, *, reflect: bool, offset: float | None, power: bool
) -> torch.Tensor:
    """Return the gradient of `finish_product` by x, given that by its output, (clips, bins, frames).

    The sums have no fixed order.
    """
    from sweep.engines.gpu import kernels_back

    clips, n_bins, n_frames = by_out.shape
    count, columns, _, bins = blocks.table.shape
    rows, warps = FEW  # larger ones were not tried
    out = torch.zeros_like(x)
    kernels_back.product[(count * _tiles(clips * n_frames, rows),)](
        x, x.shape[1], hop, blocks.table, blocks.lows, blocks.counts, by_out.resolve_neg().contiguous(), out, columns,
        clips * n_frames, count, n_bins, n_frames, offset or 0.0, BINS=bins, ROWS=rows, STEP=STEP, REFLECT=reflect,
        POWER=power, LOG=offset is not None, TF32=blocks.tf32, num_warps=warps,
    )  # fmt: skip
    return out


def finish_spectral(
    spectrum, circle, slices, out, first_bin: int, block_frames: int, offset: float | None, power: bool, tf32: bool
) -> None:
    """Pass clips' spectra through some bins of the spectral engine, finish and store the values, in one launch.

    Args:
        spectrum: lowest points of the FFT of each block of frames, (clips * blocks, points) complex64.
        circle: points of the whole FFT.
        slices: tables of the slices: (3, bins) int32, each bin's first point, number of points and their place in
            spectra; spectra, complex64, one bin after the other; cosines and sines (points, frames) float32, padded
            with zeros to multiples of `STEP` and `FRAMES`; folded: points after folding.
        out: output, (clips, all bins, frames) float32; these bins begin at `first_bin`.
        block_frames: frames of a block.
        offset, power: the same as for `finish_product`.
        tf32: whether factors are rounded to TF32; otherwise three TF32 products make up float32.
    """
    from sweep.engines.gpu import kernels

    numbers, spectra, cosines, sines, folded = slices
    clips, n_bins, n_frames = out.shape
    rows, warps = FEW if len(spectrum) <= FEW_CLIPS else MANY
    grid = (numbers.shape[1], _tiles(len(spectrum), rows), cosines.shape[1] // FRAMES)
    kernels.finish_slices[grid](
        torch.view_as_real(spectrum), spectrum.shape[1], circle, numbers, torch.view_as_real(spectra), folded,
        cosines, sines, cosines.shape[1], out, first_bin, n_bins, len(spectrum), len(spectrum) // clips, n_frames,
        block_frames, offset or 0.0, STEP=STEP, FRAMES=FRAMES, ROWS=rows, POWER=power, LOG=offset is not None,
        TF32=tf32, num_warps=warps,
    )  # fmt: skip


def spectral_gradient(
    spectrum, circle, slices, by_out: torch.Tensor, block_frames: int, offset: float | None, power: bool, tf32: bool
) -> torch.Tensor:
    """Return the gradient of `finish_spectral` by spectrum, given that by its output, (clips, bins, frames).

    The sums have no fixed order.
    """
    from sweep.engines.gpu import kernels_back

    numbers, spectra, cosines, sines, folded = slices
    by_out = by_out.resolve_neg()
    clips, n_bins, n_frames = by_out.shape
    rows, warps = FEW
    out = torch.zeros_like(spectrum)
    kernels_back.slices[(n_bins, _tiles(len(spectrum), rows), cosines.shape[1] // FRAMES)](
        torch.view_as_real(spectrum), spectrum.shape[1], circle, numbers, torch.view_as_real(spectra), folded,
        cosines, sines, cosines.shape[1], by_out.contiguous(), torch.view_as_real(out), n_bins, len(spectrum),
        len(spectrum) // clips, n_frames, block_frames, offset or 0.0, STEP=STEP, FRAMES=FRAMES, ROWS=rows,
        POWER=power, LOG=offset is not None, TF32=tf32, num_warps=warps,
    )  # fmt: skip
    return out


def _tiles(rows: int, of: int) -> int:
    return -(-rows // of)
