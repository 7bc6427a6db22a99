"""Read the notes of a recording from MusicNet's CSV, in samples of the audio file, or from MIDI, in seconds."""

import csv
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from sweep.data.audio import Audio
from sweep.data.midi import DRUM_NOTES, Midi, Note, read_midi
from sweep.data.recording import N_NOTES, SAMPLE_RATE, Changed, DataError, refuse

COLUMNS = ("start_time", "end_time", "note")  # and instrument, if there is one; beats and note value are not read
INSTRUMENT = "instrument"
MIDI = (".mid", ".midi")
PIANO = (21, 108)  # A0 to C8
SHOWN = 80  # characters of a row in a message

Own = Callable[[Path], Midi | Iterable[tuple[float, float, int]] | None]


def read_labels(path: Path, n_samples: int) -> np.ndarray:
    """Read one label file in MusicNet's CSV; return the notes of `check_csv`.

    Raises:
        DataError: the file has a problem; names the first one.
    """
    return refuse(*check_csv(path, n_samples))


def check_labels(
    path: Path, audio: Audio | None, sample_rate: int = SAMPLE_RATE, own: Own = lambda path: None
) -> tuple[np.ndarray, list[str]]:
    """Read the notes of a label file, CSV or MIDI by its ending, in samples, and all its problems.

    Nothing is repaired in silence: notes that are left out, cut or merged are counted in remarks.

    Args:
        path: label file to read.
        audio: audio of the recording, at any rate; None if its length is unknown, then no note is beyond it.
        sample_rate: samples per second of the notes, in Hz.
        own: `Source.notes` of the data's source, which may read files of its own form.

    Returns:
        Notes and problems in the form that `check_csv` returns.
    """
    n_samples = audio.length_at(sample_rate) if audio else sys.maxsize
    try:
        read = own(path)
        if isinstance(read, Midi):
            return check_midi(path, n_samples, sample_rate, read)
        if read is not None:
            return check_notes(path, read, n_samples, sample_rate)
    except Exception as error:
        why = f"{type(error).__name__}, {' '.join(str(error).split())}: correct it, or notes() of its source"
        return np.empty((0, 3), np.int64), [str(error) if isinstance(error, DataError) else f"{path}: {why}"]
    if path.suffix.lower() in MIDI:
        return check_midi(path, n_samples, sample_rate)
    notes, problems = check_csv(path, audio.file_samples if audio else n_samples)
    if audio and audio.file_rate != sample_rate:
        notes[:, :2] = (2 * notes[:, :2] * sample_rate + audio.file_rate) // (2 * audio.file_rate)  # rounded
        _keep_within(notes, n_samples)
    return notes, problems


def check_csv(path: Path, n_samples: int) -> tuple[np.ndarray, list[str]]:
    """Read one label file: the columns start_time and end_time, in samples, note and, if it is there, instrument.

    Labels end a little after the audio in places, so such notes are cut there. A note without duration is a problem:
    genuine labels have none (MusicNet's own loader, built on interval trees, would refuse it).

    Args:
        path: CSV with a header; a byte order mark, CRLF, blank lines and a comma at the end of the row are allowed.
        n_samples: length of the recording in samples.

    Returns:
        notes: (n, 3) int64: start, end, note, in the file's order, 0 <= start < end <= n_samples. (n, 4) if a
            row names an instrument: the number of a MIDI program from 1, as in MusicNet, 0 where a row names none.
        problems: one line each, with file and line: a column is missing, or a row's times or note are no whole
            numbers, negative, reversed, beyond the recording or beyond MIDI's 0..127. Remarks count the notes that are
            cut at the end of the recording, that overlap or repeat another of their pitch, or that no piano has.
    """
    notes, instruments, lines, problems = [], [], [], []
    try:
        # Columns that are not read may have any encoding. Strict parsing keeps a stray quote from swallowing rows.
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if problem := _wrong_header(header):
                problems.append(f"{path}:1: {problem}")
            columns = [header.index(name) for name in COLUMNS if not problem]
            named = header.index(INSTRUMENT) if INSTRUMENT in header else None
            for row in () if problem else rows:
                if not row:
                    continue
                start, end, note, wrong = _row(row, columns, len(header), n_samples)
                if wrong:
                    problems.append(f"{path}:{rows.line_num}: {wrong}: correct or remove the row")
                    continue
                notes.append((start, end, note))
                instruments.append(0 if named is None else _program(row[named : named + 1]))
                lines.append(rows.line_num)
    except (OSError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        problems.append(f"{path}: cannot be read as CSV ({reason}): download or export it again")
    notes = np.array(notes, dtype=np.int64).reshape(-1, 3)
    problems += _remarks(notes, n_samples, lambda index: f"{path}:{lines[index]}")
    return np.column_stack([notes, instruments]) if any(instruments) else notes, problems


def _wrong_header(header: list[str]) -> str:
    """Describe what is wrong with the names of the columns."""
    if missing := [name for name in COLUMNS if name not in header]:
        return f"no column {', '.join(missing)} in {','.join(header)[:SHOWN]!r}: add it"
    if twice := [name for name in COLUMNS if header.count(name) > 1]:
        return f"column {', '.join(twice)} more than once in {','.join(header)[:SHOWN]!r}: remove or rename one"
    return ""


def _row(row: list[str], columns: list[int], n_columns: int, n_samples: int) -> tuple[int, int, int, str]:
    """Return start, end and note of a row, and what is wrong with it."""
    shown = f"{','.join(row)[:SHOWN]!r}"
    if any(row[n_columns:]):
        return 0, 0, 0, f"{shown} has {len(row)} values, the header {n_columns}"
    try:
        start, end, note = (_whole(row[column]) for column in columns)
    except (IndexError, ValueError):
        return 0, 0, 0, f"{shown}: {', '.join(COLUMNS)} must be whole numbers"
    wrong = ""
    if start < 0:
        wrong = f"start_time {start} is negative"
    elif end <= start:
        wrong = f"end_time {end} is not after start_time {start}"
    elif start >= n_samples:
        wrong = f"start_time {start} is not within the recording's {n_samples} samples"
    elif not 0 <= note < N_NOTES:
        wrong = f"note {note} is not in MIDI's 0..{N_NOTES - 1}"
    return start, min(end, sys.maxsize), note, wrong


def _program(cell: list[str]) -> int:
    """Return the instrument in a cell, 1 to 128; 0 if there is none."""
    number = int(cell[0]) if cell and cell[0].strip().isdecimal() and len(cell[0]) < SHOWN else 0
    return number if number <= N_NOTES else 0


def _whole(text: str) -> int:
    """Return the whole number of a field; Python's int would also take 1_000."""
    if "_" in text or len(text) > SHOWN:
        raise ValueError(text)
    return int(text)


def check_midi(
    path: Path, n_samples: int, sample_rate: int = SAMPLE_RATE, midi: Midi | None = None
) -> tuple[np.ndarray, list[str]]:
    """Read the notes of a MIDI file as `read_midi` does, in samples, sorted by onset.

    As in `check_csv`, a note is cut at the end of the recording.

    Args:
        path: Standard MIDI File to read.
        n_samples: length of the recording in samples.
        sample_rate: samples per second of the recording, in Hz.
        midi: what a source has read from the file; None: it is read, without its pedal.

    Returns:
        notes: (n, 3) int64: start, end, note, rounded to samples, 0 <= start < end <= n_samples.
        problems: one line each: the file cannot be read, or a note starts beyond the recording. Remarks count notes
            that never end, that have no duration, drums, and what `check_csv` counts.
    """
    try:
        midi = read_midi(path) if midi is None else midi
    except DataError as error:
        return np.empty((0, 3), np.int64), [str(error)]

    def place(note: Note) -> str:
        who = f"instrument {note.instrument} ({midi.names[note.instrument - 1]})"
        return f"{path}: {who}: note {note.pitch} at {note.start:.3f} s"

    changed = [Changed(what, place(first), count, wrong=what != DRUM_NOTES) for what, first, count in midi.changed]
    times = [(note.start, note.end, note.pitch) for note in midi.notes]
    notes, problems = _in_samples(times, n_samples, sample_rate, lambda index: place(midi.notes[index]))
    return notes, [*changed, *problems]


def check_notes(
    path: Path, found: Iterable[tuple[float, float, int]], n_samples: int, sample_rate: int
) -> tuple[np.ndarray, list[str]]:
    """Check notes in seconds that a source has read from a label file of its own form, and put them in samples.

    Args:
        path: label file, for messages.
        found: onset and offset in s, and MIDI note, of each note.
        n_samples: length of the recording in samples.
        sample_rate: samples per second of the recording, in Hz.

    Returns:
        Notes and problems as `check_midi` returns them.
    """
    times, problems = [], []
    for number, note in enumerate(found, 1):
        try:
            start, end, pitch = (float(value) for value in note)
        except (TypeError, ValueError):
            problems.append(
                f"{path}: note {number}, {str(note)[:SHOWN]}: needs onset, offset and MIDI note: correct it"
            )
            continue
        if not (0 <= start < end < math.inf and pitch in range(N_NOTES)):
            wrong = f"note {number}, {start:g} to {end:g} s, MIDI {pitch:g}"
            problems.append(
                f"{path}: {wrong}: needs 0 <= onset < offset and a MIDI note of 0..{N_NOTES - 1}: correct it"
            )
        else:
            times.append((start, end, int(pitch)))

    def place(index: int) -> str:
        return f"{path}: note {times[index][2]} at {times[index][0]:.3f} s"

    notes, said = _in_samples(times, n_samples, sample_rate, place)
    return notes, problems + said


def _in_samples(
    times: list[tuple[float, float, int]], n_samples: int, sample_rate: int, place: Callable[[int], str]
) -> tuple[np.ndarray, list[str]]:
    """Round notes in seconds to samples; return them and the problems, as `check_midi` does."""
    beyond = [start * sample_rate >= n_samples for start, _, _ in times]
    problems = [
        f"{place(index)} is not within the recording's {n_samples / sample_rate:.3f} s: correct or remove the note"
        for index in np.flatnonzero(beyond).tolist()
    ]
    within = np.flatnonzero(~np.array(beyond, dtype=bool)).tolist()
    longest = sys.maxsize // 2
    kept = [times[index] for index in within]
    rounded = [(round(s * sample_rate), min(round(e * sample_rate), longest), note) for s, e, note in kept]
    notes = np.array(rounded, dtype=np.int64).reshape(-1, 3)
    return notes, problems + _remarks(notes, n_samples, lambda index: place(within[index]))


def _remarks(notes: np.ndarray, n_samples: int, place: Callable[[int], str]) -> list[str]:
    """Cut notes at the end of the recording, keep at least one sample of each, and count what is odd about them.

    Args:
        notes: (n, 3) int64: start, end, note; changed in place.
        n_samples: length of the recording in samples.
        place: function that returns the place of a note.

    Returns:
        A remark for each kind of oddity.
    """
    late = notes[:, 1] > n_samples
    _keep_within(notes, n_samples)
    again, overlaps = np.zeros((2, len(notes)), dtype=bool)
    for pitch in np.unique(notes[:, 2]):
        of_pitch = np.flatnonzero(notes[:, 2] == pitch)
        of_pitch = of_pitch[np.lexsort(notes[of_pitch, 1::-1].T)]  # by start, then by end
        start, end = notes[of_pitch, :2].T
        again[of_pitch[1:]] = (np.diff(start) == 0) & (np.diff(end) == 0)
        overlaps[of_pitch[1:]] = start[1:] < np.maximum.accumulate(end)[:-1]
    kinds = {
        "notes cut at the end of the audio": late,
        "notes that repeat another, counted once": again,
        "notes merged with another of their pitch": overlaps & ~again,
        f"notes beyond a piano's {PIANO[0]}..{PIANO[1]}, kept": np.clip(notes[:, 2], *PIANO) != notes[:, 2],
    }
    return [Changed(what, place(int(np.argmax(odd))), int(odd.sum())) for what, odd in kinds.items() if odd.any()]


def _keep_within(notes: np.ndarray, n_samples: int) -> None:
    """Cut notes at the end of the recording and keep at least one sample of each, which rounding might remove."""
    notes[:, 0] = notes[:, 0].clip(max=n_samples - 1)
    notes[:, 1] = notes[:, 1].clip(min=notes[:, 0] + 1, max=n_samples)
