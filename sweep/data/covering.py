"""Cover a recording with clips so that each of its frames is estimated once."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from sweep.data.recordings import Recordings
from sweep.representations.clock import SAMPLE_RATE, at_rate


@dataclass(frozen=True)
class Covering:
    """Clips of one length that cover recordings of any length, and the frames that are taken from each.

    Frame n of a recording is centred n `hop` after its first sample. Clip k gives the frames from k `size` on.

    Attributes:
        sample_rate: rate of the audio in Hz.
        length: samples of a clip at that rate.
        clock: rate in which `hop` and `lead` are counted: 44,100 Hz, or the audio's own.
        hop: samples between two frames.
        lead: samples from a clip's first sample to the first frame that is taken.
        first, size: number of the first estimate that is taken from a clip, and how many are taken.
    """

    sample_rate: int
    length: int
    clock: int
    hop: int
    lead: int
    first: int = 0
    size: int = 1

    @property
    def hop_seconds(self) -> float:
        """Seconds between two frames."""
        return self.hop / self.clock

    @property
    def kept(self) -> slice:
        """The estimates that are taken from a clip."""
        return slice(self.first, self.first + self.size)

    def frames(self, samples: int) -> int:
        """Return the number of frames of a recording of so many samples at 44,100 Hz."""
        return 1 + samples * self.clock // (SAMPLE_RATE * self.hop)

    def clips(self, frames: int) -> int:
        """Return the number of clips that give so many frames."""
        return -(-frames // self.size)

    def starts(self, clips: range) -> torch.Tensor:
        """Return the first samples of some successive clips: (clips,) int64, negative before the recording's first."""
        start = torch.arange(clips.start, clips.stop) * self.size * self.hop - self.lead
        return start if self.clock == self.sample_rate else at_rate(start, self.sample_rate)

    def nearest(self, samples: np.ndarray, frames: int) -> np.ndarray:
        """Return the number of the frame nearest to each of some instants, of so many frames.

        Args:
            samples: instants in samples at 44,100 Hz, (instants,).
            frames: number of frames there are.
        """
        return np.rint(samples / SAMPLE_RATE / self.hop_seconds).astype(np.int64).clip(max=frames - 1)


def by_windows(length: int, step: int, sample_rate: int) -> Covering:
    """Cover recordings with windows whose middles are frames.

    Args:
        length, step: samples at 44,100 Hz in a window, and between two middles.
        sample_rate: rate of the audio in Hz.
    """
    return Covering(sample_rate, at_rate(length, sample_rate), SAMPLE_RATE, step, length // 2)


def by_segments(times: np.ndarray, length: int, sample_rate: int, edge: float) -> Covering:
    """Cover recordings with overlapping segments, whose estimates near either end are left out.

    Args:
        times: instants of a segment's estimates in seconds from its first sample, (times,), two at least.
        length: samples of a segment at the audio's rate.
        sample_rate: rate of the audio in Hz.
        edge: share of a segment at either end whose estimates are left out, below 0.5; one estimate is taken at least.

    Raises:
        ValueError: the times are not evenly spaced by whole samples.
    """
    places = times * sample_rate
    offsets = np.rint(places).astype(np.int64)
    hops = np.diff(offsets)
    if not len(hops) or hops[0] < 1 or (hops != hops[0]).any() or abs(places - offsets).max() > 1e-3:
        raise ValueError(f"times of a model's estimates, {times[:3]} ... s: need to be evenly spaced by whole samples")
    inside = np.flatnonzero((offsets >= edge * length) & (offsets <= (1 - edge) * length))
    first, last = (inside[0], inside[-1]) if len(inside) else (len(times) // 2,) * 2
    return Covering(
        sample_rate, length, sample_rate, int(hops[0]), int(offsets[first]), int(first), int(last - first) + 1
    )


def covered(recordings: Recordings, index: int, covering: Covering) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a recording padded with zeros as its clips need it, and their places: those of `sweep transcribe`.

    Args:
        recordings: recordings of the split.
        index: index of the recording.
        covering: clips and frames.

    Returns:
        audio: the padded recording at its rate, (samples,) float32, full scale 1, on the recordings' device.
        starts: first sample of each clip in it, (clips,) int64, on the CPU.
    """
    audio = recordings.whole(index)
    starts = covering.starts(range(covering.clips(covering.frames(int(recordings.lengths[index])))))
    before, last = max(0, -int(starts[0])), int(starts[-1]) + covering.length
    return F.pad(audio, (before, max(0, last - len(audio)))), starts + before
