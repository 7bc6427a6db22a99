"""Hold the recordings of a split on the model's device, and cut windows with exact targets out of them."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from sweep.data.cutting import cut, full_scale_1
from sweep.data.recording import N_NOTES, DataError, Recording


class Recordings:
    """A split in memory: one flat tensor of audio, and the sounding notes between every two label times.

    A recording is addressed by its index and a position by its sample in that recording. `audio` and `targets` only
    gather on the recordings' device: with indices there they do not wait for the host, so a CUDA graph can capture
    them. Hence they check no index: a window beyond its recording's end reads into the next one.

    Audio that is too large for the device stays in pinned memory on the host (`on_host`): `audio` then needs its
    indices on the CPU, gathers there and copies the windows, which no graph can capture.

    Attributes:
        ids, paths, groups: id, audio file and group of each recording, in the given order.
        samples: audio of all recordings, (all samples,) int16 or float32, see `place`.
        offsets: start of each recording in `samples`, (recordings,) int64.
        lengths: length of each recording in samples, (recordings,) int64; on the CPU, where windows are drawn.
        boundaries: rising positions in `samples` at which the set of sounding notes may change, (segments,) int64.
        sounding: notes that sound from one boundary up to the next, (segments, 128) bool.
        notes: notes of each recording, `Recording.notes`, on the CPU.
        device: device of the windows and of all tensors except `lengths`, and except `samples` when `on_host`.

    >>> from pathlib import Path
    >>> notes = np.array([[0, 4, 60], [2, 6, 64]])
    >>> recordings = Recordings([Recording("1", np.arange(8, dtype=np.int16), 44100, notes, Path("1.wav"))])
    >>> recordings.targets(0, torch.tensor([3, 4])).nonzero().tolist()
    [[0, 60], [0, 64], [1, 64]]
    """

    def __init__(self, recordings: Sequence[Recording], device: torch.device | str = "cpu", placement: str = "auto"):
        """Copy recordings, at least one, to a device; `place` describes `placement`."""
        if not recordings:
            raise DataError("Recordings: got no recording, need at least one")
        self.device = torch.device(device)
        self.ids = [recording.id for recording in recordings]
        self.paths = [recording.path for recording in recordings]
        self.groups = [recording.group for recording in recordings]
        self.notes = [recording.notes for recording in recordings]
        self.lengths = torch.tensor([len(recording.audio) for recording in recordings])
        ends = self.lengths.cumsum(0)
        offsets = ends - self.lengths
        self.offsets = offsets.to(device)
        self._host_offsets = offsets

        lossless = all(recording.audio.dtype == np.int16 for recording in recordings)
        dtype, self.on_host = place(int(ends[-1]), lossless, self.device, placement)
        self.samples = torch.empty(
            int(ends[-1]), dtype=dtype, device="cpu" if self.on_host else device, pin_memory=self.on_host
        )
        for recording, part in zip(recordings, self.samples.split(self.lengths.tolist()), strict=True):
            part.copy_(_as_type(torch.from_numpy(recording.audio), dtype))

        segments = [label_segments(recording.notes, len(recording.audio)) for recording in recordings]
        boundaries = [part + offset for (part, _), offset in zip(segments, offsets.tolist(), strict=True)]
        self.boundaries = torch.from_numpy(np.concatenate(boundaries)).to(device)
        self.sounding = torch.from_numpy(np.concatenate([sounding for _, sounding in segments])).to(device)

    def __len__(self) -> int:
        return len(self.ids)

    def audio(self, recording: torch.Tensor | int, start: torch.Tensor, length: int) -> torch.Tensor:
        """Cut windows of audio.

        Args:
            recording: index of each window's recording, (batch,) int64, or one index for all.
            start: first sample of each window, (batch,) int64.
            length: length of each window in samples.

        Returns:
            (batch, length) float32, full scale 1.
        """
        if self.on_host:
            return full_scale_1(self.raw_audio(recording, start, length))
        return cut(self.samples, self._position(recording, start), length)

    def raw_audio(self, recording: torch.Tensor | int, start: torch.Tensor, length: int) -> torch.Tensor:
        """Cut windows of audio that is on the host, in the type in which it is stored."""
        position = self._host_offsets[recording] + start
        pinned = torch.empty(len(position), length, dtype=self.samples.dtype, pin_memory=True)
        torch.index_select(self.samples.unfold(0, length, 1), 0, position, out=pinned)
        return pinned.to(self.device, non_blocking=True)

    def whole(self, index: int) -> torch.Tensor:
        """Return all audio of a recording: (samples,) float32, full scale 1."""
        first, length = int(self._host_offsets[index]), int(self.lengths[index])
        return full_scale_1(self.samples[first : first + length].to(self.device))

    def targets(self, recording: torch.Tensor | int, sample: torch.Tensor) -> torch.Tensor:
        """Look up the notes that sound at given samples, start <= sample < end.

        Args:
            recording: index of each sample's recording, (batch,) int64, or one index for all.
            sample: position in the recording, (batch,) int64.

        Returns:
            (batch, 128) float32, 1 where the MIDI note sounds, else 0.
        """
        segment = torch.searchsorted(self.boundaries, self._position(recording, sample), right=True) - 1
        return self.sounding[segment].float()

    def _position(self, recording: torch.Tensor | int, sample: torch.Tensor) -> torch.Tensor:
        if isinstance(recording, torch.Tensor):
            recording = recording.to(self.device, non_blocking=True)
        return self.offsets[recording] + sample.to(self.device, non_blocking=True)

    def draw(self, batch_size: int, length: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw windows: a recording uniformly, then a start uniformly among those whose window fits whole.

        The host draws them, so that a generator's state gives the same windows on every device.

        Returns:
            recording, start: each (batch_size,) int64, on the CPU.
        """
        recording = generator.integers(len(self), size=batch_size)
        start = generator.integers(self.lengths.numpy()[recording] - length + 1)
        return torch.from_numpy(recording), torch.from_numpy(start)

    def check_length(self, length: int) -> None:
        """Raise a DataError if a recording is shorter than a window of so many samples."""
        shortest = int(self.lengths.argmin())
        if self.lengths[shortest] < length:
            raise DataError(
                f"{self.paths[shortest]}: {self.lengths[shortest]} samples, shorter than a window of {length}: "
                "remove the recording or shorten the window"
            )

    @functools.cached_property  # each run needs it three times
    def note_share(self) -> torch.Tensor:
        """The share of a recording's time in which each note sounds, averaged over the recordings.

        This is the mean target of `draw`, except for half a window at either end of each recording, which few centres
        reach.

        Returns:
            (128,) float64, on the CPU.
        """
        boundaries, offsets = self.boundaries.cpu(), self.offsets.cpu()
        recording = torch.searchsorted(offsets, boundaries, right=True) - 1
        duration = torch.diff(boundaries, append=torch.tensor([len(self.samples)]))
        weight = duration.double() / self.lengths[recording] / len(self)
        parts = zip(weight.split(2**16), self.sounding.cpu().split(2**16), strict=True)  # in parts: float64 is large
        return torch.stack([part @ sounding.double() for part, sounding in parts]).sum(0)


def label_segments(notes: np.ndarray, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording at its label times.

    Each note adds one to the count of its pitch at its start and subtracts one at its end. A pitch sounds while its
    count is above zero, even if several of its notes overlap.

    Args:
        notes: (n, 3) int64: start, end, note, 0 <= start < end <= n_samples.
        n_samples: length of the recording in samples.

    Returns:
        boundaries: (segments,) int64, rising from 0; the last segment ends at n_samples.
        sounding: (segments, 128) bool, the notes that sound from each boundary to the next.
    """
    boundaries = np.unique(np.concatenate([[0, n_samples], notes[:, 0], notes[:, 1]]))
    start, end = np.searchsorted(boundaries, notes[:, :2].T)
    changes = np.zeros((len(boundaries), N_NOTES), dtype=np.int16)
    np.add.at(changes, (start, notes[:, 2]), 1)
    np.add.at(changes, (end, notes[:, 2]), -1)
    return boundaries[:-1], (changes.cumsum(axis=0, dtype=np.int16) > 0)[:-1]


def place(samples: int, lossless: bool, device: torch.device, placement: str) -> tuple[torch.dtype, bool]:
    """Choose the place of the audio in memory and its type.

    Args:
        samples: number of samples of the split.
        lossless: whether int16 holds the samples exactly.
        device: device of the model.
        placement: "float32", "int16" (rounded if it is not lossless; 16 bits leave noise at -98 dB), "host" (in pinned
            memory of the host), or "auto": on the device as int16 if that is lossless, otherwise as float32 if that
            takes up to half of its free memory, otherwise as int16 on the same condition, otherwise on the host.

    Returns:
        The type, and whether the audio stays on the host.
    """
    exact = torch.int16 if lossless else torch.float32
    if placement != "auto":
        if placement == "host":
            return exact, device.type == "cuda"
        return getattr(torch, placement), False
    if device.type != "cuda":
        return exact, False
    room = torch.cuda.mem_get_info(device)[0] / 2  # the other half is for the model and its activations
    for dtype in dict.fromkeys((exact, torch.int16)):
        if samples * dtype.itemsize <= room:
            return dtype, False
    return torch.int16, True


def _as_type(audio: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Convert audio to int16, full scale 32768, or to float32, full scale 1."""
    if audio.dtype == dtype:
        return audio
    return full_scale_1(audio) if dtype == torch.float32 else (audio * 32768).round_().clamp_(-32768, 32767).short()
