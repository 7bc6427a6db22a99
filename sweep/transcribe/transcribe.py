"""Transcribe an audio file with a trained model, and write its notes and its picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress, TextColumn

from sweep.data.recording import SAMPLE_RATE
from sweep.files import write_whole
from sweep.names import plain
from sweep.report.pictures import label
from sweep.representations import Representation
from sweep.results.evidence import row_starts
from sweep.results.notes import Stretches
from sweep.results.scoring import PITCHES
from sweep.training.machine import give_back_memory
from sweep.training.transcriber import Transcriber
from sweep.transcribe import notes, picture
from sweep.transcribe.listening import Sound, opened


@dataclass(frozen=True)
class Ear:
    """Model and settings of a transcription.

    Attributes:
        transcriber: trained model, on its device.
        representation: representation of its run.
        name: name of the representation and variant, for titles.
        threshold: probability above which a note sounds.
        hop_length: samples at 44,100 Hz between frames; independent of the representation's, because each frame is a
            whole window.
        gap, shortest: longest gap that is closed and shortest note that is kept, in seconds; see `results.notes`.
    """

    transcriber: Transcriber
    representation: Representation
    name: str
    threshold: float
    hop_length: int
    gap: float
    shortest: float


def transcribe(audio: Path, ear: Ear, paths: dict[str, Path], stretch: tuple[float, float]) -> str:
    """Transcribe one file, and write its notes and its picture.

    The file is read in blocks of some seconds, so that memory grows with the number of notes only.

    Args:
        audio: audio file that libsndfile reads.
        ear: model and settings of the transcription.
        paths: output files, `notes.outputs`; existing files are replaced.
        stretch: begin and end of the picture, in seconds of the audio.

    Returns:
        Duration and number of notes, in words, and where and why reading ended before the file's end.

    Raises:
        DataError: nothing of the file can be read, or a sample is not finite.
        OSError: a file cannot be written.
    """
    hop_seconds = ear.hop_length / SAMPLE_RATE
    found, shown = Stretches(ear.threshold), picture.Shown(stretch, hop_seconds)
    with opened(audio) as sound:
        for probability, frames in _frames(sound, ear):
            shown.add(found.frames, probability, frames)
            found.add(probability)
    written = found.notes(hop_seconds, sound.seconds, ear.gap, ear.shortest)
    write_whole(paths["csv"], notes.csv(written))
    write_whole(paths["mid"], notes.midi(written, sound.seconds, ear.name))
    title = f"{label(audio.name)} transcribed with {label(ear.name)}, threshold {ear.threshold:g}"
    write_whole(paths["png"], picture.draw(shown, written, ear, title, sound.seconds))
    ended = f" ({sound.problem})" * bool(sound.problem)
    return f"{_minutes(sound.seconds)}{ended}, {len(written):,} note{'s' * (len(written) != 1)}"


def _frames(sound: Sound, ear: Ear):
    """Yield (frames, 88) probabilities and the (frames, rows) log spectrogram, some seconds at a time."""
    transcriber, rows = ear.transcriber, row_starts(ear.representation.bins)
    terminal = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), *Progress.get_default_columns()[1:]
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        bar = progress.add_task(plain(sound.path.name), total=sound.declared)
        window, row = transcriber.protocol.window, ear.representation
        for piece, starts in sound.windows(window, ear.hop_length, row.sample_rate):
            parts = zip(*transcriber.listen(piece, starts, row.samples(window)), strict=True)
            probability, spectrum = (torch.cat(part).cpu().numpy() for part in parts)
            yield probability[:, PITCHES], np.maximum.reduceat(spectrum, rows, axis=1)
            progress.update(bar, completed=sound.seconds)
            give_back_memory()  # fragments grew by 0.5 GB in an hour of audio with cqt-48


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}" if seconds >= 1 else f"{seconds:.3f} s"
