"""Hold the recordings of a split on the model's device, at a row's sample rate, and cut windows out of them."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch

from sweep.data.cache import in_one_file
from sweep.data.cutting import cut, full_scale_1
from sweep.data.recording import DataError, Recording
from sweep.data.roll import on_device
from sweep.data.targets import Labels
from sweep.representations.clock import SAMPLE_RATE, at_rate

SPARE = 2  # samples at another rate beyond a recording's end, which its last window may reach by rounding


class Recordings(Labels):
    """A split in memory: its labels, and one flat tensor of its audio at one sample rate.

    A recording is addressed by its index and a position by its sample in that recording. Positions and lengths are
    counted in the reference clock of 44,100 Hz whatever the rate of the audio: at rate r a window has
    round(length r / 44,100) samples and starts at round(start r / 44,100), as `at_rate` rounds. `audio` and `targets`
    only gather on the recordings' device: with indices there they do not wait for the host, so a CUDA graph can capture
    them. Hence they check no index: a window beyond its recording's end reads into the next one.

    Audio that is too large for the device stays on the host (`on_host`): `audio` then needs its indices on the CPU,
    gathers there and copies the windows, which no graph can capture.

    On the host and on a CPU, audio from the cache is not copied: `samples` is the file, mapped, which takes memory only
    as it is used and is shared by processes.

    Attributes:
        samples: audio of all recordings, (all samples,) int16 or float32, see `place`.
        nbytes: bytes of that audio.
        mapped: whether it is a file of the cache.
        offsets: start of each recording in `samples`, (recordings,) int64.
        sample_rate: samples per second of `samples`, in Hz.
        device: device of the windows and of all tensors except `lengths`, and except `samples` when `on_host`.

    >>> from pathlib import Path
    >>> notes = np.array([[0, 4, 60], [2, 6, 64]])
    >>> recordings = Recordings([Recording("1", np.arange(8, dtype=np.int16), 44100, notes, Path("1.wav"))])
    >>> recordings.targets(0, torch.tensor([3, 4])).nonzero().tolist()
    [[0, 60], [0, 64], [1, 64]]
    """

    def __init__(self, recordings: Sequence[Recording], device: torch.device | str = "cpu", placement: str = "auto"):
        """Copy recordings at 44,100 Hz, at least one, to a device; `place` describes `placement`."""
        super().__init__(recordings, device)
        self._hold([recording.audio for recording in recordings], SAMPLE_RATE, placement)

    @classmethod
    def of(cls, labels: Labels, audio: Sequence[np.ndarray], sample_rate: int, placement: str = "auto") -> Self:
        """Put audio at some rate beside labels, whose tensors are shared with other rates.

        Args:
            labels: labels of the recordings.
            audio: audio of each of them at that rate, each (samples,) int16 or float32. At another rate than 44,100 Hz
                it is cut or padded with zeros to floor(length rate / 44,100) + SPARE samples, so that the windows that
                fit into a recording do not reach the next one.
            sample_rate: samples per second of the audio, in Hz.
            placement: argument of `place`.

        Raises:
            DataError: an audio file is longer or shorter than it was when the labels were read.
        """
        held = cls.__new__(cls)
        vars(held).update(vars(labels))
        held._hold(audio, sample_rate, placement)
        return held

    def _hold(self, audio: Sequence[np.ndarray], sample_rate: int, placement: str) -> None:
        """Copy the audio of all recordings into one tensor where it belongs."""
        self.sample_rate = sample_rate
        lengths = self.lengths
        if sample_rate != SAMPLE_RATE:
            lengths = lengths * sample_rate // SAMPLE_RATE + SPARE
        for path, length, part in zip(self.paths, lengths.tolist(), audio, strict=True):
            # Resampling rounds the length at either rate.
            if abs(len(part) - length) > (2 * SPARE + sample_rate / SAMPLE_RATE) * (sample_rate != SAMPLE_RATE):
                raise DataError(f"{path}: has changed since its labels were read: start again")
        self._held_lengths = lengths
        total = int(lengths.sum())
        dtype, self.on_host = place(total, all(a.dtype == np.int16 for a in audio), self.device, placement)
        flat = in_one_file(audio) if self.device.type == "cpu" or self.on_host else None
        if flat is not None and placement in ("auto", "host"):
            dtype = torch.from_numpy(flat[0][:0]).dtype
        self.mapped = flat is not None and torch.from_numpy(flat[0][:0]).dtype == dtype
        if self.mapped:
            self.samples, self._host_offsets = map(torch.from_numpy, flat)
        else:
            self.samples = torch.empty(total, dtype=dtype, device="cpu" if self.on_host else self.device)
            self._host_offsets = lengths.cumsum(0) - lengths
            for given, part in zip(audio, self.samples.split(lengths.tolist()), strict=True):
                given = given[: len(part)]
                part[: len(given)].copy_(_as_type(torch.from_numpy(given), dtype))
                part[len(given) :].zero_()
        self.offsets = self._host_offsets.to(self.device)

    @property
    def nbytes(self) -> int:
        return int(self._held_lengths.sum()) * self.samples.itemsize

    def audio(self, recording: torch.Tensor | int, start: torch.Tensor, length: int) -> torch.Tensor:
        """Cut windows of audio.

        Args:
            recording: index of each window's recording, (batch,) int64, or one index for all.
            start: first sample of each window in the reference clock, (batch,) int64.
            length: length of each window in samples of the reference clock.

        Returns:
            (batch, length at the recordings' rate) float32, full scale 1.
        """
        if self.on_host:
            return full_scale_1(self.raw_audio(recording, start, length))
        start = at_rate(start.to(self.device, non_blocking=True), self.sample_rate)
        return cut(self.samples, on_device(self.offsets, recording) + start, at_rate(length, self.sample_rate))

    def raw_audio(self, recording: torch.Tensor | int, start: torch.Tensor, length: int) -> torch.Tensor:
        """Cut windows of audio that is on the host, in the type in which it is stored."""
        position = self._host_offsets[recording] + at_rate(start, self.sample_rate)
        length = at_rate(length, self.sample_rate)
        pinned = torch.empty(len(position), length, dtype=self.samples.dtype, pin_memory=True)
        torch.index_select(self.samples.unfold(0, length, 1), 0, position, out=pinned)
        return pinned.to(self.device, non_blocking=True)

    def whole(self, index: int) -> torch.Tensor:
        """Return all audio of a recording: (samples at the recordings' rate,) float32, full scale 1."""
        first, length = int(self._host_offsets[index]), int(self._held_lengths[index])
        return full_scale_1(self.samples[first : first + length].to(self.device))


def place(samples: int, lossless: bool, device: torch.device, placement: str) -> tuple[torch.dtype, bool]:
    """Choose the place of the audio in memory and its type.

    Args:
        samples: number of samples of the split.
        lossless: whether int16 holds the samples exactly.
        device: device of the model.
        placement: "float32", "int16" (rounded if it is not lossless; 16 bits leave noise at -98 dB), "host", or
            "auto": on the device as int16 if that is lossless, otherwise as float32 if that takes up to half of its
            free memory, otherwise as int16 on the same condition, otherwise on the host.

    Returns:
        The type, and whether the audio stays on the host. There audio from the cache keeps the cache's type.
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
