"""Write notes as a table and as MIDI."""

import io
from pathlib import Path

import pandas as pd

VELOCITY = 80  # MIDI velocity of all notes: the model does not predict loudness
_RESOLUTION = 480  # MIDI ticks in half a second


def csv(notes: pd.DataFrame) -> str:
    """Format notes as comma-separated values, with times to 0.1 ms.

    Args:
        notes: table of notes, `results.notes.Stretches.notes`.
    """
    digits = {"onset_seconds": 4, "offset_seconds": 4, "frequency_hz": 3, "probability": 4}
    return notes.round(digits).to_csv(index=False)


def midi(notes: pd.DataFrame, seconds: float, title: str) -> bytes:
    """Encode notes as a Standard MIDI File: one piano track at a nominal 120 beats a minute, not the music's tempo.

    Args:
        notes: table of notes, `results.notes.Stretches.notes`.
        seconds: duration of the audio, in seconds.
        title: name of the track. MIDI's text is Latin-1, and what does not fit is written as UTF-8.
    """
    import pretty_midi

    # pretty_midi refuses to read files of more than MAX_TICK ticks, three hours at 480 ticks in half a second.
    most = pretty_midi.pretty_midi.MAX_TICK / (2 * seconds + 2)
    file = pretty_midi.PrettyMIDI(resolution=max(1, min(_RESOLUTION, int(most))), initial_tempo=120.0)
    piano = pretty_midi.Instrument(program=0, name=_latin(title))
    for note in notes.itertuples():
        piano.notes.append(pretty_midi.Note(VELOCITY, int(note.pitch), note.onset_seconds, note.offset_seconds))
    file.instruments.append(piano)
    content = io.BytesIO()
    file.write(content)
    return content.getvalue()


def _latin(text: str) -> str:
    """Return text in Latin-1: the text itself, or its bytes in UTF-8, as which most programs read text in MIDI."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape").decode("latin-1")
    return text


def outputs(audio: Path, folder: Path | None, ending: str) -> dict[str, Path]:
    """Name the output files of an audio file.

    Args:
        audio: audio file.
        folder: output folder; None to write beside the audio.
        ending: text between the audio file's stem and the suffix.

    Returns:
        Paths for the kinds "csv", "mid" and "png".
    """
    folder = audio.parent if folder is None else folder
    return {kind: folder / f"{audio.stem}{ending}.{kind}" for kind in ("csv", "mid", "png")}
