"""What a report shows of a run besides its scores: counts by pitch and polyphony, an excerpt, the learned weights.

Kept in evidence.npz beside result.json, some 80 kB, so that a sweep can be reported where neither its data nor its
checkpoints are.
"""

import io
import zipfile
from pathlib import Path

import numpy as np

from sweep.files import write_whole
from sweep.results.scoring import PITCHES

EVIDENCE = "evidence.npz"
EXCERPT = 200  # scored windows, 8 s of five minutes at the paper's 7,500 a recording
ROWS = 256  # of a picture at most: bins beyond that share rows
REFERENCE, ESTIMATE = 1, 2  # the bits of a roll's cell
SHOWN_BINS = (0.1, 0.35, 0.6, 0.85)  # whose kernels are kept, as shares of all
SHOWN_TAPS = 1024  # of a kernel, around its middle lag
SPECTRUM = np.geomspace(20, 20_000, 301)  # Hz, the edges of a kept spectrum's cells


def count_notes(reference: np.ndarray, estimate: np.ndarray) -> dict[str, np.ndarray]:
    """Notes of one recording by pitch and by polyphony, counted as mir_eval does: right where both sides have them.

    Args:
        reference, estimate: (frames, 128) bool.

    Returns:
        pitches: (88, 3) int, of each pitch of the piano: notes in the reference, in the estimate, right.
        polyphony: (89, 4) int, of the frames with 0, 1, ... notes in the reference: how many, and the three counts.

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
    """Which of a recording's scored windows the excerpt shows: EXCERPT in its middle, all where there are fewer."""
    first = max(windows - EXCERPT, 0) // 2
    return slice(first, first + EXCERPT)


def excerpt(times: np.ndarray, frames: np.ndarray, reference: np.ndarray, estimate: np.ndarray) -> dict:
    """What the model saw and said in some successive windows.

    Args:
        times: (windows,) of their centres, in seconds.
        frames: (windows, bins) log spectrogram at each window's centre.
        reference, estimate: (windows, 128) bool.

    Returns:
        times; spectrogram: (rows, windows) uint8, of which 0 and 255 stand for the two values of spectrogram_range, the
        loudest bin of each row; roll: (88, windows) uint8, bits REFERENCE and ESTIMATE.
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


def weights_per_pitch(weight: np.ndarray, n_frames: int, projection: np.ndarray | None) -> dict[str, np.ndarray]:
    """What a linear model has learned to look for: how a note's logit answers to a steady sound in one bin.

    Args:
        weight: (128, features x n_frames) of the linear layer.
        n_frames: of a window.
        projection: (features, bins) from the bins to the features, None where the features are the bins.

    Returns:
        weights: (rows, 88) int8, a bin's weights summed over the frames; of bins that share a row the strongest.
        weights_scale: (1,) the weight that 127 stands for.
    """
    summed = weight.reshape(len(weight), -1, n_frames).sum(2)[PITCHES]  # (88, features)
    summed = summed if projection is None else summed @ projection
    starts = row_starts(summed.shape[1])
    high, low = (part.reduceat(summed.T, starts, axis=0) for part in (np.maximum, np.minimum))
    strongest = np.where(high > -low, high, low)
    scale = max(float(np.abs(strongest).max()), 1e-12)
    return {"weights": np.round(127 * strongest / scale).astype(np.int8), "weights_scale": np.array([scale])}


def learned_kernels(frontend, initial) -> dict[str, np.ndarray]:
    """How far training has moved a front-end's kernels and mel bank, and some of them before and after.

    Args:
        frontend: a trained front-end of `sweep.transforms`.
        initial: the same as it began.

    Returns:
        Where kernels were trained: kernels_moved (bins,), each kernel's change over what it was, in norms; of
        SHOWN_BINS kernel_bins (n,), kernel_frequencies (n,) in Hz, kernel_lags (n,), the first lag of kernel_taps
        (2, n, SHOWN_TAPS) complex64, as they began and as they are, 0 where there are none, and kernel_spectra
        (2, n, 300) in dB, their greatest magnitudes between the frequencies of SPECTRUM over the initial kernel's.
        Where the bank was: bank_moved (bands,), bank_bins (n,) and bank_rows (2, n, bins).
    """
    found = {}
    kernels = initial.trainable_kernels()
    if kernels is not None:
        count = len(kernels)
        bins, moved, pairs = shown_bins(count), [], {}
        for bin in range(count):  # one by one: all of a large bank are gigabytes
            pair = [one.kernel(bin) for one in (initial, frontend)]
            moved.append(_moved(pair[0][1], pair[1][1]))
            if bin in bins:
                pairs[bin] = pair
        found["kernels_moved"] = np.array(moved)
        found["kernel_frequencies"] = kernels.frequencies[bins]
        cut = [[_central(*kernel) for kernel in pairs[bin]] for bin in bins]
        spectra = [[_spectrum(taps, kernels.sample_rate) for _, taps in pairs[bin]] for bin in bins]
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
    """Which of so many bins a picture of kernels shows."""
    return np.unique([int(share * count) for share in SHOWN_BINS])


def _moved(before: np.ndarray, after: np.ndarray) -> float:
    """The change of a kernel or a band over its norm; NaN for one that began as nothing, as empty filters do."""
    norm = float(np.linalg.norm(before))
    return float(np.linalg.norm(after - before)) / norm if norm else float("nan")


def _central(first: int, taps: np.ndarray) -> tuple[int, np.ndarray]:
    """The taps around the middle one and the first one's lag, filled up with zeros to SHOWN_TAPS."""
    skipped = max(len(taps) - SHOWN_TAPS, 0) // 2
    kept = taps[skipped : skipped + SHOWN_TAPS]
    return first + skipped, np.pad(kept, (0, SHOWN_TAPS - len(kept)))


def _spectrum(taps: np.ndarray, sample_rate: float) -> np.ndarray:
    """The greatest magnitude of a kernel's transform in each cell of SPECTRUM.

    A kernel exp(-i w n) answers to a sound exp(i w n): its transform is taken at the sound's frequency.
    """
    points = 1 << max(16, (len(taps) - 1).bit_length())
    magnitudes = np.abs(np.fft.fft(taps.conj(), points))[: points // 2]
    edges = np.minimum(np.round(SPECTRUM / sample_rate * points).astype(int), points // 2 - 1)
    return np.maximum.reduceat(magnitudes, edges)[:-1]


def row_starts(bins: int) -> np.ndarray:
    """The first bin of each row of a picture: a bin a row, or as few bins a row as keep it within ROWS."""
    return np.arange(0, bins, -(-bins // ROWS))


def write_evidence(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes evidence.npz whole."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    write_whole(folder / EVIDENCE, file.getvalue())


def read_evidence(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a run; empty where it kept none, as those of an older version.

    Raises:
        ValueError: evidence.npz is there and damaged.
    """
    try:
        with np.load(folder / EVIDENCE, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        return {}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{folder / EVIDENCE}: damaged, {error}; overwrite=true makes the run anew") from None
