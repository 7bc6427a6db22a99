"""Keep what a report shows of a run besides its scores: counts by pitch and polyphony, an excerpt, learned weights.

The arrays are in evidence.npz beside result.json, some 80 kB, so a sweep can be reported on a machine that has neither
its data nor its checkpoints.
"""

import io
from pathlib import Path

import numpy as np

from sweep.files import write_whole
from sweep.results.arrays import read_arrays
from sweep.results.json_files import unreadable
from sweep.results.scoring import PITCHES

EVIDENCE = "evidence.npz"
EXCERPT = 200  # scored windows in an excerpt: 8 s of a 5 min recording at the paper's 7,500 windows a recording
ROWS = 256  # most rows of a spectrogram picture; with more bins, neighbours share a row
REFERENCE, ESTIMATE = 1, 2  # bits of a piano roll's cell
SHOWN_BINS = (0.1, 0.35, 0.6, 0.85)  # positions of the bins whose kernels are kept, as shares of the number of bins
SHOWN_TAPS = 1024  # taps kept of a kernel, around its middle lag
SPECTRUM = np.geomspace(20, 20_000, 301)  # Hz, edges of the cells of a kept spectrum

# Kinds of NumPy's types and the shapes of the arrays; a size that has a name is the same in all of them.
_SHAPES: dict[str, tuple] = {
    "recordings": ("U", "recordings"),
    "pitches": ("iu", "recordings", len(PITCHES), 3),
    "polyphony": ("iu", "recordings", len(PITCHES) + 1, 4),
    "times": ("f", "windows"),
    "spectrogram": ("u", "rows", "windows"),
    "spectrogram_range": ("f", 2),
    "roll": ("u", len(PITCHES), "windows"),
    "weights": ("i", "rows", len(PITCHES)),
    "weights_scale": ("f", 1),
    "frequencies": ("f", "bins"),
    "kernels_moved": ("f", "kernels"),
    "kernel_bins": ("iu", "shown kernels"),
    "kernel_frequencies": ("f", "shown kernels"),
    "kernel_lags": ("iu", "shown kernels"),
    "kernel_taps": ("c", 2, "shown kernels", SHOWN_TAPS),
    "kernel_spectra": ("f", 2, "shown kernels", len(SPECTRUM) - 1),
    "bank_moved": ("f", "bands"),
    "bank_bins": ("iu", "shown bands"),
    "bank_rows": ("f", 2, "shown bands", "bins of a band"),
}


def count_notes(reference: np.ndarray, estimate: np.ndarray) -> dict[str, np.ndarray]:
    """Count a recording's notes by pitch and by polyphony, as mir_eval does: a note is right where both rolls have it.

    Args:
        reference, estimate: (frames, 128) bool, MIDI notes that sound.

    Returns:
        pitches: (88, 3) int, for each piano pitch: notes in the reference, notes in the estimate, notes right.
        polyphony: (89, 4) int, for 0, 1, ... notes in the reference: number of such frames, and their three counts.

    >>> roll = np.zeros((3, 128), bool); roll[:2, 60] = roll[0, 64] = True
    >>> counts = count_notes(roll, np.roll(roll, 1, axis=0))  # a frame late
    >>> counts["pitches"][60 - 21].tolist(), counts["polyphony"][:3].tolist()
    ([2, 2, 1], [[1, 0, 1, 0], [1, 1, 2, 1], [1, 2, 0, 0]])
    """
    reference, estimate = reference[:, PITCHES], estimate[:, PITCHES]
    cells = np.stack([reference, estimate, reference & estimate]).astype(np.float32)  # adds up faster than bool
    notes = cells.sum(2).astype(int)  # (3, frames)
    columns = [np.bincount(notes[0], count, minlength=len(PITCHES) + 1) for count in (None, *notes)]
    return {"pitches": cells.sum(1).T.astype(int), "polyphony": np.stack(columns, axis=1).astype(int)}


def stretch(windows: int) -> slice:
    """Choose the scored windows of the excerpt: the EXCERPT windows in the recording's middle, or all if fewer.

    Args:
        windows: number of scored windows of the recording.
    """
    first = max(windows - EXCERPT, 0) // 2
    return slice(first, first + EXCERPT)


def excerpt(times: np.ndarray, frames: np.ndarray, reference: np.ndarray, estimate: np.ndarray) -> dict:
    """Compress the spectrogram and the piano rolls of successive windows for the report.

    Args:
        times: (windows,) window centres, in seconds.
        frames: (windows, bins) log spectrogram at each window's centre.
        reference, estimate: (windows, 128) bool, MIDI notes that sound.

    Returns:
        times: the argument; spectrogram: (rows, windows) uint8, the loudest bin of each row, scaled so that 0 and 255
        are the two values of spectrogram_range; roll: (88, windows) uint8, bits REFERENCE and ESTIMATE.
    """
    loudest = np.maximum.reduceat(frames.T, row_starts(frames.shape[1]), axis=0)
    low, high = float(loudest.min()), float(loudest.max())
    levels = np.round(255 * (loudest - low) / max(high - low, 1e-9))
    roll = REFERENCE * reference[:, PITCHES].T + ESTIMATE * estimate[:, PITCHES].T
    return {
        "times": times,
        "spectrogram": levels.astype(np.uint8),
        "spectrogram_range": np.array([low, high]),
        "roll": roll.astype(np.uint8),
    }


def weights_per_pitch(
    weight: np.ndarray, n_frames: int, projection: np.ndarray | None, n_channels: int = 1
) -> dict[str, np.ndarray]:
    """Sum a linear model's weights over a window's frames: the response of a note's logit to a steady sound in a bin.

    Args:
        weight: (128, features x n_frames) weight matrix of the linear layer.
        n_frames: frames in a window.
        projection: (features, bins) projection from bins to features; None if the features are the bins.
        n_channels: channels that the bins belong to, one after the other.

    Returns:
        weights: (rows, 88) int8, weights summed over the frames; where bins or channels share a row, the largest in
        magnitude.
        weights_scale: (1,) the weight that 127 stands for.
    """
    summed = weight.reshape(len(weight), -1, n_frames).sum(2)[PITCHES]  # (88, features)
    summed = summed if projection is None else summed @ projection
    channels = summed.reshape(len(summed), n_channels, -1)
    summed = np.take_along_axis(channels, abs(channels).argmax(axis=1)[:, None], axis=1)[:, 0]
    starts = row_starts(summed.shape[1])
    high, low = (part.reduceat(summed.T, starts, axis=0) for part in (np.maximum, np.minimum))
    strongest = np.where(high > -low, high, low)
    scale = max(float(np.abs(strongest).max()), 1e-12)
    return {"weights": np.round(127 * strongest / scale).astype(np.int8), "weights_scale": np.array([scale])}


def learned_kernels(frontend, initial, sample_rate: float) -> dict[str, np.ndarray]:
    """Measure how far training moved a front-end's kernels and mel bank, and keep some of them before and after.

    Args:
        frontend: trained front-end, a module of `sweep.transforms`.
        initial: the same front-end before training.
        sample_rate: samples per second, in Hz.

    Returns:
        If kernels were trained: kernels_moved (bins,), ||after - before|| / ||before|| of each kernel; and for the bins
        SHOWN_BINS: kernel_bins (n,); kernel_frequencies (n,) in Hz; kernel_taps (2, n, SHOWN_TAPS) complex64, before
        and after, padded with 0; kernel_lags (n,), the lag of the first tap; kernel_spectra (2, n, 300) in dB, the
        greatest magnitude in each cell of SPECTRUM relative to the initial kernel's peak. If the bank was trained:
        bank_moved (bands,), bank_bins (n,) and bank_rows (2, n, bins).
    """
    found = {}
    kernels = initial.trainable_kernels()
    if kernels is not None:
        count = len(kernels)
        bins, moved, pairs = shown_bins(count), [], {}
        for bin in range(count):  # one kernel at a time: all kernels of a large bank take gigabytes
            pair = [one.kernel(bin) for one in (initial, frontend)]
            moved.append(_moved(pair[0][1], pair[1][1]))
            if bin in bins:
                pairs[bin] = pair
        found["kernels_moved"] = np.array(moved)
        found["kernel_frequencies"] = kernels.frequencies[bins]
        cut = [[_central(*kernel) for kernel in pairs[bin]] for bin in bins]
        spectra = [[_spectrum(taps, sample_rate) for _, taps in pairs[bin]] for bin in bins]
        decibels = [20 * np.log10(np.maximum(pair, 1e-6 * pair[0].max()) / pair[0].max()) for pair in np.array(spectra)]
        found["kernel_bins"], found["kernel_lags"] = bins, np.array([pair[0][0] for pair in cut])
        found["kernel_taps"] = np.array([[taps for _, taps in pair] for pair in cut], np.complex64).swapaxes(0, 1)
        found["kernel_spectra"] = np.array(decibels, np.float32).swapaxes(0, 1)
    if initial.trainable_bank() is not None:
        before, after = (one.trainable_bank().detach().double().cpu().numpy() for one in (initial, frontend))
        found["bank_moved"] = np.array([_moved(*rows) for rows in zip(before, after, strict=True)])
        full = np.flatnonzero(before.any(axis=1))
        found["bank_bins"] = full[shown_bins(len(full))]
        found["bank_rows"] = np.stack([before, after])[:, found["bank_bins"]].astype(np.float32)
    return found


def shown_bins(count: int) -> np.ndarray:
    """Choose the bins whose kernels are kept and shown.

    Args:
        count: number of bins.

    Returns:
        (n,) int, indices at the shares SHOWN_BINS.
    """
    return np.unique([int(share * count) for share in SHOWN_BINS])


def _moved(before: np.ndarray, after: np.ndarray) -> float:
    """||after - before|| / ||before|| of a kernel or a band; NaN if it was all 0 at first, as empty filters are."""
    norm = float(np.linalg.norm(before))
    return float(np.linalg.norm(after - before)) / norm if norm else float("nan")


def _central(first: int, taps: np.ndarray) -> tuple[int, np.ndarray]:
    """Cut or pad a kernel to its SHOWN_TAPS middle taps; return the lag of the first tap, and the taps."""
    skipped = max(len(taps) - SHOWN_TAPS, 0) // 2
    kept = taps[skipped : skipped + SHOWN_TAPS]
    return first + skipped, np.pad(kept, (0, SHOWN_TAPS - len(kept)))


def _spectrum(taps: np.ndarray, sample_rate: float) -> np.ndarray:
    """Greatest magnitude of a kernel's Fourier transform in each cell of SPECTRUM.

    The kernel exp(-i w n) responds to the sound exp(i w n), so the taps are conjugated to get the sound's frequency.
    """
    points = 1 << max(16, (len(taps) - 1).bit_length())
    magnitudes = np.abs(np.fft.fft(taps.conj(), points))[: points // 2]
    edges = np.minimum(np.round(SPECTRUM / sample_rate * points).astype(int), points // 2 - 1)
    return np.maximum.reduceat(magnitudes, edges)[:-1]


def row_starts(bins: int) -> np.ndarray:
    """First bin of each row of a picture: one bin a row, or the fewest bins a row that give at most ROWS rows.

    Args:
        bins: number of bins of the spectrogram.
    """
    return np.arange(0, bins, -(-bins // ROWS))


def write_evidence(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write evidence.npz, or leave the old file as it is if the process dies.

    Args:
        folder: folder of the run.
        arrays: arrays by name.
    """
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    write_whole(folder / EVIDENCE, file.getvalue())


def read_evidence(folder: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a run's evidence.npz; empty if there is no such file, as in runs of older versions.

    Raises:
        ValueError: evidence.npz cannot be read, is damaged, or holds arrays of other shapes than a run writes.
    """
    path = folder / EVIDENCE
    try:
        arrays = read_arrays(path)
        _check(arrays)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(unreadable(path, error)) from None
    except ValueError as error:
        raise ValueError(f"{path}: damaged, {error}; overwrite=true makes the run anew") from None
    return arrays


def _check(arrays: dict[str, np.ndarray]) -> None:
    """Check the kinds and shapes of the arrays, each of which may be missing."""
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        if name not in _SHAPES:
            continue
        kind, *shape = _SHAPES[name]
        wanted = [size if isinstance(size, int) else sizes.setdefault(size, length)
                  for size, length in zip(shape, array.shape, strict=False)]  # fmt: skip
        if array.dtype.kind not in kind or len(shape) != array.ndim or list(array.shape) != wanted or not array.size:
            raise ValueError(f"its {name} have type {array.dtype} and shape {array.shape}")
    if "frequencies" in arrays:
        rows = len(row_starts(len(arrays["frequencies"])))
        for name in ("spectrogram", "weights"):
            if name in arrays and len(arrays[name]) != rows:
                raise ValueError(f"its {name} have {len(arrays[name])} rows, not {rows}")
