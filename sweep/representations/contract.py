"""Check that a row's front-end gives what the row says, and what its family's definition says."""

import dataclasses
from typing import Any

import numpy as np
import torch

from sweep.checks import called, naming, shown
from sweep.representations.levels import File
from sweep.representations.representation import Representation

_DEFINED = 1e-3  # largest difference from the definition, relative L2; front-ends in float32 reach 1e-5


def check_front_end(row: Representation, samples: int) -> None:
    """Check the front-end of a row on noise with tones and on silence.

    The definition is compared at the level "file": both get the same clips.

    Args:
        row: the row.
        samples: length of the clips at the row's sample rate.

    Raises:
        ValueError: names the family and the row, what is wrong and the remedy, in one line.
    """
    with naming(f"family {row.family}, row {row.name}"):
        _check_features(row, samples)
        for member in row.members:
            if hasattr(member, "definition"):
                _check_definition(dataclasses.replace(member, level=File(name="file")), samples)


def clips_for(row: Representation, samples: int) -> torch.Tensor:
    """Make two clips, noise with a few tones at frequencies of the row: (2, samples) float32, full scale 1."""
    rng, t = np.random.default_rng(0), np.arange(samples) / row.sample_rate
    heard = row.frequencies[(row.frequencies > 0) & (row.frequencies < row.sample_rate / 2)]
    clips = 0.05 * rng.standard_normal((2, samples))
    for clip in clips:
        for frequency in rng.choice(heard, 3) if len(heard) else ():
            clip += 0.1 * np.sin(2 * np.pi * (frequency * t + rng.random()))
    return torch.from_numpy(clips).float()


def _check_features(row: Representation, samples: int) -> None:
    frequencies = row.frequencies
    if not isinstance(frequencies, np.ndarray) or frequencies.dtype != np.float64 or frequencies.shape != (row.bins,):
        found = (
            f"{frequencies.dtype} {frequencies.shape}" if isinstance(frequencies, np.ndarray) else shown(frequencies)
        )
        raise ValueError(f"frequencies {found}: need a float64 array in Hz, ({row.bins},), from measure()")
    if not np.isfinite(frequencies).all():
        raise ValueError(f"frequencies {frequencies[~np.isfinite(frequencies)][0]}: need to be finite")
    times, frames = row.times(samples), row.n_frames(samples)
    if np.shape(times) != (frames,):
        raise ValueError(f"times have shape {np.shape(times)} and n_frames({samples}) is {frames}; let them agree")
    front_end, clips = called("front_end()", row.front_end, samples, accuracy="exact"), clips_for(row, samples)
    wanted = len(clips), row.n_channels, row.bins, frames
    with torch.no_grad():
        for what, audio in (("noise", clips), ("silence", torch.zeros_like(clips))):
            features = called(f"the front-end of {tuple(audio.shape)}", front_end, audio)
            if not isinstance(features, torch.Tensor) or not features.is_floating_point():
                raise ValueError(f"features are {type(features).__name__}: need a tensor of the clips' floating type")
            if tuple(features.shape) != wanted:
                raise ValueError(
                    f"features of {samples} samples have shape {tuple(features.shape)}: need {wanted}, (batch, "
                    "channels, bins, frames), by n_channels, bins and n_frames; correct the front-end or framing"
                )
            if not features.isfinite().all():
                count = int((~features.isfinite()).sum())
                raise ValueError(f"features of {what} are not finite, {count} of {features.numel()}; divide by no 0")


def _check_definition(row: Any, samples: int) -> None:
    """Compare the front-end of a row without parts with the method `definition` of its family."""
    clips = clips_for(row, samples)
    front_end = row.front_end(samples, accuracy="exact")
    if not hasattr(front_end, "spectrogram"):
        raise ValueError("has a definition, but its front-end has no method spectrogram to compare it with; add it")
    with torch.no_grad():
        found = front_end.spectrogram(clips).double().numpy()
    defined = np.asarray(called("definition()", row.definition, clips.double().numpy()))
    if defined.ndim == 3:
        defined = defined[:, None]
    if defined.shape != found.shape:
        raise ValueError(f"definition has shape {defined.shape} and the front-end {found.shape}; correct one of them")
    norms = [np.linalg.norm(values.reshape(len(clips), -1), axis=1) for values in (found - defined, defined)]
    error = float((norms[0] / norms[1]).max()) if norms[1].all() else np.inf
    if not error <= _DEFINED:
        raise ValueError(
            f"front-end and definition differ by {error:.2g}, relative L2, at most {_DEFINED:g}; correct one of them"
        )
