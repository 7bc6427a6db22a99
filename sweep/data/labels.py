"""Read the notes of a recording from MusicNet's CSV, in samples of the audio file, or from MIDI, in seconds."""

import csv
import sys
import warnings
from pathlib import Path

import numpy as np

from sweep.data.audio import Audio
from sweep.data.recording import N_NOTES, SAMPLE_RATE, DataError

COLUMNS = ("start_time", "end_time", "note")  # the rest (instrument, beats, note value) is not read
MIDI = (".mid", ".midi")


def read_labels(path: Path, n_samples: int) -> np.ndarray:
    """Read one label file in MusicNet's CSV; return the notes of `check_csv`.

    Raises:
        DataError: the file has a problem; names the first one.
    """
    return refuse(*check_csv(path, n_samples))


def refuse(found, problems: list[str]):
    """Return what was found if there is no problem; otherwise raise a DataError of the first one."""
    if problems:
        raise DataError(problems[0])
    return found


def check_labels(path: Path, audio: Audio | None, sample_rate: int = SAMPLE_RATE) -> tuple[np.ndarray, list[str]]:
    """Read the notes of a label file, CSV or MIDI by its ending, in samples of the decoded audio, and all its problems.

    Args:
        path: label file to read.
        audio: audio of the recording at `sample_rate`; None if its length is unknown, then no note is beyond it.
        sample_rate: samples per second of the decoded audio, in Hz.

    Returns:
        Notes and problems in the form that `check_csv` returns.
    """
    n_samples = len(audio.samples) if audio else sys.maxsize
    if path.suffix.lower() in MIDI:
        return check_midi(path, n_samples, sample_rate)
    notes, problems = check_csv(path, audio.file_samples if audio else n_samples)
    if audio and audio.file_rate != sample_rate:
        notes[:, :2] = (2 * notes[:, :2] * sample_rate + audio.file_rate) // (2 * audio.file_rate)  # rounded
        _keep_within(notes, n_samples)
    return notes, problems


def check_csv(path: Path, n_samples: int) -> tuple[np.ndarray, list[str]]:
    """Read one label file: the columns start_time and end_time, in samples, and note; other columns are ignored.

    Labels end a little after the audio in places, so such notes are cut there. A note without duration is a problem:
    genuine labels have none (MusicNet's own loader, built on interval trees, would refuse it).

    Args:
        path: CSV with a header; a byte order mark, CRLF, blank lines and a comma at the end of the row are allowed.
        n_samples: length of the recording in samples.

    Returns:
        notes: (n, 3) int64: start, end, note, in the file's order, 0 <= start < end <= n_samples.
        problems: one line each, with file and line: a column is missing, or a row's times or note are no whole
            numbers, negative, reversed, beyond the recording or beyond MIDI's 0..127.
    """
    notes, problems = [], []
    try:
        # Columns that are not read may have any encoding. Strict parsing keeps a stray quote from swallowing rows.
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if missing := [name for name in COLUMNS if name not in header]:
                problems.append(f"{path}:1: no column {', '.join(missing)} in {','.join(header)!r}: add it")
            columns = [header.index(name) for name in COLUMNS if not missing]
            for row in () if missing else rows:
                if not row:
                    continue
                try:
                    start, end, note = (int(row[column]) for column in columns)
                except (IndexError, ValueError):
                    problem = f"{','.join(row)!r}: {', '.join(COLUMNS)} must be whole numbers"
                else:
                    if 0 <= start < end and start < n_samples and 0 <= note < N_NOTES:
                        notes.append((start, min(end, n_samples), note))
                        continue
                    problem = _problem(start, end, note, n_samples)
                problems.append(f"{path}:{rows.line_num}: {problem}: correct or remove the row")
    except (OSError, csv.Error) as error:
        problems.append(f"{path}: cannot be read as CSV ({error}): download or export it again")
    return np.array(notes, dtype=np.int64).reshape(-1, 3), problems


def _problem(start: int, end: int, note: int, n_samples: int) -> str:
    """Describe what is wrong with a row of whole numbers."""
    if start < 0:
        return f"start_time {start} is negative"
    if end <= start:
        return f"end_time {end} is not after start_time {start}"
    if start >= n_samples:
        return f"start_time {start} is not within the recording's {n_samples} samples"
    return f"note {note} is not in MIDI's 0..{N_NOTES - 1}"


def check_midi(path: Path, n_samples: int, sample_rate: int = SAMPLE_RATE) -> tuple[np.ndarray, list[str]]:
    """Read the notes of all instruments of a MIDI file except the drums, from key down to key up, sorted by onset.

    The tempo map is followed; a sustain pedal is not. As in `check_csv`, a note is cut at the end of the recording.

    Args:
        path: Standard MIDI File to read.
        n_samples: length of the recording in samples.
        sample_rate: samples per second of the recording, in Hz.

    Returns:
        notes: (n, 3) int64: start, end, note, rounded to samples, 0 <= start < end <= n_samples.
        problems: one line each: the file is no MIDI, its tempo is uncertain, or a note starts beyond the recording.
    """
    import mido
    import pretty_midi

    # pretty_midi warns of such tempo changes, which it does not follow, and of key signatures, which change no time.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="pretty_midi")
    try:
        midi = mido.MidiFile(path)
        misplaced = any(message.type == "set_tempo" for track in midi.tracks[1:] for message in track)
        instruments = pretty_midi.PrettyMIDI(mido_object=midi).instruments
    except Exception as error:  # the parsers raise errors of many kinds on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        return np.empty((0, 3), np.int64), [f"{path}: cannot be read as MIDI ({reason}): export it again"]
    if misplaced:
        problem = f"{path}: changes its tempo in a track that is not the first, its times are unsure: export it again"
        return np.empty((0, 3), np.int64), [problem]
    notes, problems = [], []
    for number, instrument in enumerate(instruments, start=1):
        if instrument.is_drum:
            continue
        for note in instrument.notes:
            if note.start * sample_rate < n_samples:
                notes.append((round(note.start * sample_rate), round(note.end * sample_rate), note.pitch))
                continue
            name = instrument.name or pretty_midi.program_to_instrument_name(instrument.program)
            problems.append(
                f"{path}: instrument {number} ({name}): note {note.pitch} at {note.start:.3f} s is not within the "
                f"recording's {n_samples / sample_rate:.3f} s: correct or remove the note"
            )
    notes = np.array(sorted(notes), dtype=np.int64).reshape(-1, 3)
    _keep_within(notes, n_samples)
    return notes, problems


def _keep_within(notes: np.ndarray, n_samples: int) -> None:
    """Cut notes at the end of the recording and keep at least one sample of each, which rounding might remove."""
    notes[:, 0] = notes[:, 0].clip(max=n_samples - 1)
    notes[:, 1] = notes[:, 1].clip(min=notes[:, 0] + 1, max=n_samples)
