"""One audio file through a trained model: frames, notes, three files."""

import contextlib
import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from sweep.data.recording import SAMPLE_RATE
from sweep.files import write_whole
from sweep.representations import Representation
from sweep.results.evidence import row_starts
from sweep.results.scoring import PITCHES
from sweep.training.transcriber import Transcriber
from sweep.transcribe import notes, picture
from sweep.transcribe.listening import Sound, opened

# Root mean square below which a window is silence, -75 dB of full scale. Scaled to unit norm, as the model sees it, it
# would be noise of a kind that it has not heard: the quietest windows of nine MusicNet recordings have -71 dB.
SILENCE = 10 ** (-75 / 20)
_BATCH = 32  # windows at a time on a CPU: the widest CNN takes 1 GB for them


@dataclass(frozen=True)
class Ear:
    """What transcribes.

    Attributes:
        transcriber: trained, on its device.
        representation: of its run.
        name: of the run, in words.
        threshold: probability above which a note sounds.
        hop_length: samples between frames, whatever the representation's: each frame is a whole window.
        gap, shortest: of `notes.Stretches.notes`.
    """

    transcriber: Transcriber
    representation: Representation
    name: str
    threshold: float
    hop_length: int
    gap: float
    shortest: float


def transcribe(audio: Path, ear: Ear, paths: dict[str, Path], stretch: tuple[float, float]) -> str:
    """Transcribe one file, write its notes and its picture, and say so in a line.

    Memory does not grow with the file but for its notes: it is read in blocks of some seconds.

    Args:
        audio: any file that libsndfile reads.
        ear: what transcribes.
        paths: of `notes.outputs`; what is there already is replaced.
        stretch: seconds of the audio that the picture shows, from and to.

    Raises:
        DataError: the file cannot be read.
        OSError: a file cannot be written.
    """
    hop_seconds = ear.hop_length / SAMPLE_RATE
    found, shown = notes.Stretches(ear.threshold), picture.Shown(stretch, hop_seconds)
    with opened(audio) as sound:
        for probability, frames in _frames(sound, ear):
            shown.add(found.frames, probability, frames)
            found.add(probability)
    written = found.notes(hop_seconds, sound.seconds, ear.gap, ear.shortest)
    write_whole(paths["csv"], notes.csv(written))
    write_whole(paths["mid"], notes.midi(written, sound.seconds, ear.name))
    title = f"{audio.name} as {ear.name} hears it, threshold {ear.threshold:g}"
    write_whole(paths["png"], picture.draw(shown, written, ear, title, sound.seconds))
    truncated = " (the file is truncated)" * sound.truncated
    return f"{_minutes(sound.seconds)}{truncated}, {len(written):,} note{'s' * (len(written) != 1)}"


def _frames(sound: Sound, ear: Ear):
    """Some seconds at a time, what the model says and sees: (frames, 88) probabilities, (frames, rows) spectrogram."""
    transcriber, protocol = ear.transcriber, ear.transcriber.protocol
    device = next(transcriber.parameters()).device
    batch = protocol.batch_size if device.type == "cuda" else _BATCH
    starts = row_starts(ear.representation.n_bins)
    terminal = Console(stderr=True)
    with Progress(console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        bar = progress.add_task(sound.path.name, total=sound.declared)
        for windows in sound.windows(protocol.window, ear.hop_length):
            said = []
            for part in windows.split(batch):
                part = part.to(device)
                with torch.inference_mode():
                    logits, centre = transcriber.look(part)
                    loud = part.square().mean(dim=1, keepdim=True).sqrt() >= SILENCE
                    said.append((logits.sigmoid() * loud, centre))
            probability, spectrum = (torch.cat(part).cpu().numpy() for part in zip(*said, strict=True))
            yield probability[:, PITCHES], np.maximum.reduceat(spectrum, starts, axis=1)
            progress.update(bar, completed=sound.seconds)
            give_back_memory()


def give_back_memory() -> None:
    """Have glibc return what is free: kept in pieces, it grew by half a gigabyte in an hour of cqt-48."""
    with contextlib.suppress(OSError, AttributeError):  # another system's
        ctypes.CDLL(None).malloc_trim(0)


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}" if seconds >= 1 else f"{seconds:.3f} s"
