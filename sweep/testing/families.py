"""Check a family of representations, or one row of it."""

import dataclasses
from typing import Any

import numpy as np
import torch

from sweep.checks import naming
from sweep.config.conf import ROWS, settings
from sweep.config.rows import row as row_of
from sweep.fields import keys_of
from sweep.registry.keyed import as_group
from sweep.representations import Representation, contract
from sweep.representations.levels import File

WINDOW = 16_384  # samples at 44,100 Hz, a window of most protocols
_ALIKE = 1e-3  # difference that is rounding, relative L2
_LONGEST = 2**20  # samples of a clip that a family is checked on


def check_family(family: type[Representation] | Representation | str, **keys: Any) -> None:
    """Check a row: shapes, finite values and gradients on silence too, independent clips, instants and precision.

    Checked, on a window and on a longer clip: all of `sweep.representations.contract`, the method `definition` included
    if there is one; times rise by hop_length from within the clip, and a click is heard at its time; gradients are
    finite; a clip's features depend on no other clip; frames away from the ends do not depend on the clip's length if
    the framing is centred; float64 gives float64, and float32 agrees with it.

    Args:
        family: a family's class, a row, or the name of a row in `conf/representation`.
        keys: keys of the row. A class gets the keys that all rows share from the paper's rows: 44,100 Hz, hop_length
            512, Hann, zeros beyond the ends, and their steps.

    Raises:
        ValueError: names the family and the row, what is wrong and the remedy, in one line.
    """
    row = _row(family, keys)
    samples = row.samples(WINDOW)
    for length in (samples, 3 * samples + 17):
        contract.check_front_end(row, length)
    with naming(f"family {row.family}, row {row.name}"):
        _check_times(row, samples)
        _check_gradients(row, samples)
        _check_clips(row, samples)
        bare = dataclasses.replace(row, level=File(name="file"))
        if hasattr(bare.front_end(), "spectrogram"):
            _check_clicks(bare)
            _check_lengths(bare)
            _check_precision(bare, samples)


def _row(family: type[Representation] | Representation | str, keys: dict[str, Any]) -> Representation:
    if isinstance(family, str):
        return row_of(family, **keys)
    if isinstance(family, Representation):
        return type(family).from_tree({**family.record(), **keys})
    as_group(family)
    shared = {**settings(ROWS / "base" / "family.yaml"), "name": family.__name__, "family": family.__name__}
    open_keys = {field.name for field in keys_of(family) if field.default is dataclasses.MISSING}
    common = {field.name for field in keys_of(Representation)} & open_keys
    with naming(f"family {family.__name__}"):
        return family.from_tree({**{key: shared[key] for key in common}, **keys})


def _check_times(row: Representation, samples: int) -> None:
    times = row.times(samples)
    places, last = times * row.sample_rate, samples + row.hop_length + row.reach
    hops = np.diff(places)
    if not 0 <= places[0] <= places[-1] <= last:
        raise ValueError(f"times of {samples} samples: {times[0]:g} to {times[-1]:g} s; count from the first sample")
    if len(hops) and abs(hops - row.hop_length).max() > 1e-3:
        raise ValueError(
            f"times are {hops.min():g} to {hops.max():g} samples apart, hop_length is {row.hop_length}; let them agree"
        )


def _check_gradients(row: Representation, samples: int) -> None:
    """Take the gradients of a clip, of silence, and of a clip that falls silent."""
    clips = contract.clips_for(row, samples)
    half = clips[:1].clone()
    half[:, samples // 2 :] = 0
    front_end = row.front_end(samples, accuracy="exact")
    for what, audio in (("noise", clips), ("silence", torch.zeros(1, samples)), ("a clip that falls silent", half)):
        audio = audio.clone().requires_grad_()
        features = front_end(audio)
        if not features.requires_grad:
            raise ValueError("features have no gradient by the audio; use PyTorch throughout, and no .detach()")
        (gradient,) = torch.autograd.grad(features.sum(), audio)
        if not gradient.isfinite().all():
            raise ValueError(f"gradients of {what} are not finite; keep 0 from roots, divisions and logarithms")


@torch.no_grad()
def _check_clips(row: Representation, samples: int) -> None:
    clips = contract.clips_for(row, samples)
    front_end = row.front_end(samples, accuracy="exact")
    together, alone = front_end(clips), torch.cat([front_end(clip[None]) for clip in clips])
    if (by := _relative_l2(together, alone)) > _ALIKE:
        raise ValueError(f"features of a clip differ by {by:.2g} with the other clips of its batch; keep clips apart")


@torch.no_grad()
def _check_clicks(row: Representation) -> None:
    """Look for the frame that a click in the middle of a clip is strongest in."""
    samples = min(2 * row.reach + 16 * row.hop_length, _LONGEST)
    times = row.times(samples)
    frame = len(times) // 2
    click = torch.zeros(1, samples)
    click[0, round(times[frame] * row.sample_rate)] = 1.0
    heard = row.front_end(samples, accuracy="exact").spectrogram(click).square().sum(dim=(0, 1, 2))
    found = int(heard.argmax())
    if abs(found - frame) > 1:
        raise ValueError(
            f"a click at {times[frame]:.3f} s is strongest in the frame of {times[found]:.3f} s; let times and frames "
            "agree, or choose the framing that the front-end has"
        )


@torch.no_grad()
def _check_lengths(row: Representation) -> None:
    """Compare the frames of a clip with those of a longer one that begins with it, where neither end is near."""
    samples = 2 * row.reach + 8 * row.hop_length
    if not row.framing.startswith("centred") or samples > _LONGEST:
        return
    long = contract.clips_for(row, samples + 5 * row.hop_length + 100)
    places = row.times(samples) * row.sample_rate
    inside = np.flatnonzero((places >= row.reach) & (places + row.reach < samples))
    parts = [row.front_end(length, accuracy="exact").spectrogram(long[:, :length])[..., inside]
             for length in (samples, long.shape[1])]  # fmt: skip
    if (by := _relative_l2(*parts)) > _ALIKE:
        raise ValueError(
            f"frames away from the ends differ by {by:.2g} in a longer clip; let a frame depend on the samples that "
            "context says"
        )


@torch.no_grad()
def _check_precision(row: Representation, samples: int) -> None:
    clips = contract.clips_for(row, samples)
    front_end = row.front_end(samples, accuracy="exact")
    exact, single = front_end.spectrogram(clips.double()), front_end.spectrogram(clips)
    for found, wanted in ((exact, torch.float64), (single, torch.float32)):
        if found.dtype != wanted:
            raise ValueError(f"clips of {wanted} give features of {found.dtype}; make tables in the clips' type")
    if (by := _relative_l2(single.double(), exact)) > _ALIKE:
        raise ValueError(f"float32 differs by {by:.2g} from float64; avoid differences of large numbers")


def _relative_l2(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-30))
