"""Triton kernels that multiply tiles of matrices in a loop; `sweep.engines.gpu.fused` launches them.

A row is a frame of a clip, a clip, or a block of its frames. Factors are rounded to the nearest TF32, since tensor
cores would truncate them; for float32, three such products are added. Sums are float32.
"""

try:
    import triton
    import triton.language as tl
except ImportError:  # the engines work without Triton
    triton = None

if triton is not None:

    @triton.jit
    def factor(x, TF32: tl.constexpr):
        """Round factors to TF32 if that is asked for."""
        if TF32:
            # 2^13 x is exact, so its rounded sum with x holds x to 11 bits (Dekker 1971). Adding to the bits also takes
            # two instructions, but turns some NaN into 0.
            x = tl.fma(x, -8192.0, x * 8193.0)
        return x

    @triton.jit
    def magnitude(real, imag):
        """Compute the root of real^2 + imag^2, scaled by a power of two near the larger one."""
        largest = tl.maximum(tl.abs(real), tl.abs(imag)).to(tl.int32, bitcast=True) & 0x7F800000
        largest = tl.minimum(tl.maximum(largest, 0x00800000), 0x7E800000)  # 2^-126 .. 2^126
        scale = (0x7F000000 - largest).to(tl.float32, bitcast=True)  # one over it
        real, imag = real * scale, imag * scale
        return tl.sqrt(real * real + imag * imag) * largest.to(tl.float32, bitcast=True)

    @triton.jit
    def finish(real, imag, offset, POWER: tl.constexpr, LOG: tl.constexpr):
        """Compute magnitude or power, and its logarithm if that is asked for."""
        if POWER:
            values = real * real + imag * imag
        else:
            values = magnitude(real, imag)
        if LOG:
            values = tl.log(values + offset)
        return values

    # Triton compiles a GPU kernel anew, in seconds, when an integer is 1 or a multiple of 16 for the first time; these
    # integers are exempt.
    COUNTS = ("columns", "n_rows", "n_blocks", "first_bin", "n_some", "n_bins", "n_frames")

    @triton.jit
    def places(starts, column, count, length, inside, REFLECT: tl.constexpr):
        """Return the positions of some columns of frames in their clips, and which of them are valid."""
        at = starts + column[None, :]
        used = inside & (column < count)[None, :]
        if REFLECT:
            at = tl.where(at < 0, -at, at)
            at = tl.where(at < length, at, 2 * (length - 1) - at)
        else:
            used = used & (at >= 0) & (at < length)
        return at, used

    @triton.jit
    def multiply(
        clips, length, starts, table, count, inside, BINS: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr,
        REFLECT: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """Multiply (rows, columns) @ (columns, 2 bins); return real and imaginary parts."""
        real, imag = tl.zeros((ROWS, BINS), tl.float32), tl.zeros((ROWS, BINS), tl.float32)
        for first in range(0, count, STEP):
            column = first + tl.arange(0, STEP)
            at, used = places(starts, column, count, length, inside, REFLECT)
            values = factor(tl.load(clips + at, mask=used, other=0.0), TF32)
            weights = table + (column * 2 * BINS)[:, None] + tl.arange(0, BINS)[None, :]
            precision: tl.constexpr = "tf32" if TF32 else "tf32x3"
            real = tl.dot(values, tl.load(weights), real, input_precision=precision)
            imag = tl.dot(values, tl.load(weights + BINS), imag, input_precision=precision)
        return real, imag

    @triton.jit(do_not_specialize=COUNTS)
    def finish_product(
        x, length, hop, table, lows, counts, out, columns, n_rows, n_blocks, first_bin, n_some, n_bins, n_frames,
        offset, BINS: tl.constexpr, ROWS: tl.constexpr, STEP: tl.constexpr, REFLECT: tl.constexpr, POWER: tl.constexpr,
        LOG: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """Compute one block of bins for some rows, a row being a frame of a clip."""
        block, rows = tl.program_id(0) % n_blocks, tl.program_id(0) // n_blocks * ROWS + tl.arange(0, ROWS)
        inside = (rows < n_rows)[:, None]
        clips = x + (rows // n_frames).to(tl.int64)[:, None] * length
        starts = (rows % n_frames * hop + tl.load(lows + block))[:, None]
        table += block * columns * 2 * BINS
        count = tl.load(counts + block)
        real, imag = multiply(clips, length, starts, table, count, inside, BINS, ROWS, STEP, REFLECT, TF32)
        values = finish(real, imag, offset, POWER, LOG)
        bin = block * BINS + tl.arange(0, BINS)
        at = (rows // n_frames).to(tl.int64) * n_bins * n_frames + rows % n_frames
        at = at[:, None] + ((first_bin + bin) * n_frames)[None, :]
        tl.store(out + at, values, mask=inside & (bin < n_some)[None, :])

    @triton.jit
    def cells(rows, t, bin, n_blocks, block_frames, n_bins, n_frames):
        """Return the positions of some blocks' frames in (clips, bins, frames), and which of them exist."""
        at = (rows // n_blocks).to(tl.int64) * n_bins * n_frames + (rows % n_blocks) * block_frames
        last = ((rows % n_blocks) * block_frames)[:, None] + t[None, :] < n_frames
        return at[:, None] + (bin * n_frames + t)[None, :], last & (t < block_frames)[None, :]

    @triton.jit
    def points_of(spectrum, start, used, circle, n_points, inside, ROWS: tl.constexpr, STEP: tl.constexpr):
        """Load real and imaginary parts of some clips' spectra from point `start` on, (ROWS, STEP) each."""
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

    @triton.jit
    def passes(spectra, first, fold, folded, width, STEP: tl.constexpr):
        """Load some points of a kernel's spectrum, real and imaginary parts, and return which of them exist."""
        points = first + tl.arange(0, STEP)
        place = fold * folded + points
        passed = (points < folded) & (place < width)
        real = tl.load(spectra + place * 2, mask=passed, other=0.0)
        imag = tl.load(spectra + place * 2 + 1, mask=passed, other=0.0)
        return real[None, :], imag[None, :], passed

    @triton.jit
    def frames(
        clips, n_points, circle, start, width, spectra, folded, cosines, sines, stride, t, inside, STEP: tl.constexpr,
        FRAMES: tl.constexpr, ROWS: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """Multiply a bin's slice by its kernel's spectrum, fold it, and multiply by the frames' phases."""
        points = tl.arange(0, STEP)
        y_real, y_imag = tl.zeros((ROWS, FRAMES), tl.float32), tl.zeros((ROWS, FRAMES), tl.float32)
        for first in range(0, tl.minimum(width, folded), STEP):
            real, imag = tl.zeros((ROWS, STEP), tl.float32), tl.zeros((ROWS, STEP), tl.float32)
            for fold in range(tl.cdiv(width, folded)):
                h_real, h_imag, passed = passes(spectra, first, fold, folded, width, STEP)
                at = start + fold * folded + first
                x_real, x_imag = points_of(clips, at, passed, circle, n_points, inside, ROWS, STEP)
                real += x_real * h_real - x_imag * h_imag
                imag += x_real * h_imag + x_imag * h_real
            real, imag = factor(real, TF32), factor(imag, TF32)
            at = (first + points)[:, None] * stride + t[None, :]
            c, s = tl.load(cosines + at), tl.load(sines + at)
            precision: tl.constexpr = "tf32" if TF32 else "tf32x3"
            y_real = tl.dot(real, c, y_real, input_precision=precision)
            y_real = tl.dot(-imag, s, y_real, input_precision=precision)
            y_imag = tl.dot(real, s, y_imag, input_precision=precision)
            y_imag = tl.dot(imag, c, y_imag, input_precision=precision)
        return y_real, y_imag

    POINTS = ("n_points", "circle", "folded", "n_blocks", "block_frames", "first_bin", "n_bins", "n_rows", "n_frames")

    @triton.jit(do_not_specialize=POINTS)
    def finish_slices(
        spectrum, n_points, circle, slices, spectra, folded, cosines, sines, stride, out, first_bin, n_bins, n_rows,
        n_blocks, n_frames, block_frames, offset, STEP: tl.constexpr, FRAMES: tl.constexpr, ROWS: tl.constexpr,
        POWER: tl.constexpr, LOG: tl.constexpr, TF32: tl.constexpr,
    ):  # fmt: skip
        """Compute one bin for some clips."""
        n_some = tl.num_programs(0)
        bin = n_some - 1 - tl.program_id(0)  # from the top bin, with the widest slice: the longest work begins first
        start, width = tl.load(slices + bin), tl.load(slices + n_some + bin)
        spectra += tl.load(slices + 2 * n_some + bin) * 2
        rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
        t = tl.program_id(2) * FRAMES + tl.arange(0, FRAMES)
        inside = (rows < n_rows)[:, None]
        clips = spectrum + rows.to(tl.int64)[:, None] * (2 * n_points)
        waves = cosines, sines, stride
        real, imag = frames(
            clips, n_points, circle, start, width, spectra, folded, *waves, t, inside, STEP, FRAMES, ROWS, TF32
        )
        values = finish(real, imag, offset, POWER, LOG)
        at, known = cells(rows, t, first_bin + bin, n_blocks, block_frames, n_bins, n_frames)
        tl.store(out + at, values, mask=inside & known)
