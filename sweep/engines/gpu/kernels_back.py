"""Triton kernels for gradients of a finished spectrogram; real and imaginary parts are recomputed, not stored."""

from sweep.engines.gpu.kernels import triton

if triton is not None:
    import triton.language as tl

    from sweep.engines.gpu.kernels import COUNTS, POINTS, cells, factor, frames, magnitude, multiply, passes, places

    @triton.jit
    def pull(real, imag, by, offset, POWER: tl.constexpr, LOG: tl.constexpr):
        """Return the gradient by real and imaginary parts, given that by the result of `kernels.finish`; 0 at 0."""
        if POWER:
            value = real * real + imag * imag
            real, imag = 2.0 * real, 2.0 * imag
        else:
            value = magnitude(real, imag)
            known = tl.maximum(value, 1.2e-38)  # the least normal number
            real, imag = real / known, imag / known
        if LOG:
            by = by / (value + offset)
        by = tl.where(value == 0, 0.0, by)  # in a block's padding the value is 0; this avoids NaN
        return by * real, by * imag

    @triton.jit(do_not_specialize=COUNTS)
    def product(
        x, length, hop, table, lows, counts, by_out, by_x, columns, n_rows, n_blocks, n_bins, n_frames, offset,
        BINS: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr, REFLECT: tl.constexpr, POWER: tl.constexpr,
        LOG: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """Compute (rows, 2 bins) @ (2 bins, columns) for one block of bins and add it to the columns' gradient."""
        block, rows = tl.program_id(0) % n_blocks, tl.program_id(0) // n_blocks * ROWS + tl.arange(0, ROWS)
        inside = (rows < n_rows)[:, None]
        clips = (rows // n_frames).to(tl.int64)[:, None]
        starts = (rows % n_frames * hop + tl.load(lows + block))[:, None]
        table += block * columns * 2 * BINS
        count = tl.load(counts + block)
        ends = x + clips * length, length, starts, table, count, inside
        real, imag = multiply(*ends, BINS, ROWS, STEP, REFLECT, TF32)
        bin = block * BINS + tl.arange(0, BINS)
        cell = clips * n_bins * n_frames + (rows % n_frames)[:, None] + (bin * n_frames)[None, :]
        by = tl.load(by_out + cell, mask=inside & (bin < n_bins)[None, :], other=0.0)
        real, imag = pull(real, imag, by, offset, POWER, LOG)
        real, imag = factor(real, TF32), factor(imag, TF32)
        for first in range(0, count, STEP):
            column = first + tl.arange(0, STEP)
            weights = table + (column * 2 * BINS)[None, :] + tl.arange(0, BINS)[:, None]
            precision: tl.constexpr = "tf32" if TF32 else "tf32x3"
            sums = tl.dot(real, tl.load(weights), input_precision=precision)
            sums = tl.dot(imag, tl.load(weights + BINS), sums, input_precision=precision)
            at, used = places(starts, column, count, length, inside, REFLECT)
            tl.atomic_add(by_x + clips * length + at, sums, mask=used, sem="relaxed")

    @triton.jit(do_not_specialize=POINTS)
    def slices(
        spectrum, n_points, circle, numbers, spectra, folded, cosines, sines, stride, by_out, by_spectrum, n_bins,
        n_rows, n_blocks, n_frames, block_frames, offset, STEP: tl.constexpr, FRAMES: tl.constexpr, ROWS: tl.constexpr,
        POWER: tl.constexpr, LOG: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """Multiply one bin's frames by conjugate phases and its kernel's conjugate spectrum; add to the gradient."""
        bin = tl.num_programs(0) - 1 - tl.program_id(0)
        start, width = tl.load(numbers + bin), tl.load(numbers + n_bins + bin)
        spectra += tl.load(numbers + 2 * n_bins + bin) * 2
        rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        t = tl.program_id(2) * FRAMES + tl.arange(0, FRAMES)
        inside = (rows < n_rows)[:, None]
        clips = rows.to(tl.int64)[:, None] * (2 * n_points)
        waves = cosines, sines, stride
        real, imag = frames(
            spectrum + clips, n_points, circle, start, width, spectra, folded, *waves, t, inside, STEP, FRAMES, ROWS,
            TF32,
        )  # fmt: skip
        cell, known = cells(rows, t, bin, n_blocks, block_frames, n_bins, n_frames)
        by = tl.load(by_out + cell, mask=inside & known, other=0.0)
        real, imag = pull(real, imag, by, offset, POWER, LOG)
        real, imag = factor(real, TF32), factor(imag, TF32)
        points = tl.arange(0, STEP)
        for first in range(0, tl.minimum(width, folded), STEP):
            wave = (first + points)[None, :] * stride + t[:, None]
            c, s = tl.load(cosines + wave), tl.load(sines + wave)
            precision: tl.constexpr = "tf32" if TF32 else "tf32x3"
            z_real = tl.dot(real, c, input_precision=precision)
            z_real = tl.dot(imag, s, z_real, input_precision=precision)
            z_imag = tl.dot(imag, c, input_precision=precision)
            z_imag = tl.dot(-real, s, z_imag, input_precision=precision)
            for fold in range(tl.cdiv(width, folded)):
                h_real, h_imag, passed = passes(spectra, first, fold, folded, width, STEP)
                at = start + fold * folded + first + points
                at = tl.where(at < 0, at + circle, at)
                mirrored = at > circle // 2
                at = tl.where(mirrored, circle - at, at)
                used = inside & (passed & (at < n_points))[None, :]
                to = by_spectrum + clips + (2 * at)[None, :]
                x_imag = z_imag * h_real - z_real * h_imag
                tl.atomic_add(to, z_real * h_real + z_imag * h_imag, mask=used, sem="relaxed")
                tl.atomic_add(to + 1, tl.where(mirrored[None, :], -x_imag, x_imag), mask=used, sem="relaxed")
