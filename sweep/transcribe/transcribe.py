"""Transcribe an audio file with a trained model, and write its notes and its picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress, TextColumn

from sweep.data.covering import Covering
from sweep.files import write_whole
from sweep.names import plain
from sweep.report.pictures import label
from sweep.representations import Representation
from sweep.results.evidence import row_starts
from sweep.results.notes import Stretches
from sweep.results.scoring import PITCHES
from sweep.training.hearing import Thresholds
from sweep.training.machine import give_back_memory
from sweep.training.transcriber import Transcriber, joined
from sweep.transcribe import notes, picture
from sweep.transcribe.listening import Sound, opened


@dataclass(frozen=True)
class Ear:
    """Model and settings of a transcription.

    Attributes:
        transcriber: trained model, on its device.
        representation: representation of its run.
        name: name of the representation and variant, for titles.
        thresholds: probabilities above which a note sounds and begins.
        covering: clips that cover a file, and the frames that are taken from each.
        gap, shortest: longest gap that is closed and shortest note that is kept, in seconds; see `results.notes`.
    """

    transcriber: Transcriber
    representation: Representation
    name: str
    thresholds: Thresholds
    covering: Covering
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
    hop_seconds = ear.covering.hop_seconds
    found, shown = Stretches(*ear.thresholds), picture.Shown(stretch, hop_seconds)
    with opened(audio) as sound:
        for probability, onsets, frames in _frames(sound, ear):
            shown.add(found.frames, probability, frames)
            found.add(probability, onsets)
    written = found.notes(hop_seconds, sound.seconds, ear.gap, ear.shortest)
    write_whole(paths["csv"], notes.csv(written))
    write_whole(paths["mid"], notes.midi(written, sound.seconds, ear.name))
    title = f"{label(audio.name)} transcribed with {label(ear.name)}, threshold {ear.thresholds.frames:g}"
    write_whole(paths["png"], picture.draw(shown, written, ear, title, sound.seconds))
    ended = f" ({sound.problem})" * bool(sound.problem)
    return f"{_minutes(sound.seconds)}{ended}, {len(written):,} note{'s' * (len(written) != 1)}"


def _frames(sound: Sound, ear: Ear):
    """Yield (frames, 88) probabilities that notes sound and begin (None without such a head), and the log spectrogram.

    Some seconds at a time; the spectrogram is (frames, rows).
    """
    transcriber, rows = ear.transcriber, row_starts(ear.representation.bins)
    terminal = Console(stderr=True)
    columns = TextColumn("{task.description}", markup=False), *Progress.get_default_columns()[1:]
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as progress:
        bar = progress.add_task(plain(sound.path.name), total=sound.declared)
        for piece, starts, count in sound.clips(ear.covering):
            heard, seen = zip(*transcriber.listen(piece, starts, ear.covering), strict=True)
            heads = {head: value[:count, PITCHES].cpu().numpy() for head, value in joined(heard).items()}
            spectrum = torch.cat(seen)[:count].cpu().numpy()
            yield heads["frames"], heads.get("onsets"), np.maximum.reduceat(spectrum, rows, axis=1)
            progress.update(bar, completed=sound.seconds)
            give_back_memory()  # fragments grew by 0.5 GB in an hour of audio with cqt-48


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}" if seconds >= 1 else f"{seconds:.3f} s"
