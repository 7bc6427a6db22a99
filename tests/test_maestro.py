"""MAESTRO's folder: its table in each form, its split, notes with and without pedal, and a line for each fault."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
from test_audio import sine

from sweep.data.reading import find_pairs, read_split
from sweep.data.recording import DataError, Remark
from sweep.data.sources.maestro import Maestro
from sweep.testing import check_source

COLUMNS = ("canonical_composer", "canonical_title", "split", "year", "midi_filename", "audio_filename", "duration")
# Split, year, name as in the data set, sample rate in Hz.
PIECES = [
    ("train", 2004, "MIDI-Unprocessed_SMF_02_R1_2004_01-05_ORIG_MID--AUDIO_02_R1_2004_05_Track05_wav", 44100),
    ("train", 2018, "MIDI-Unprocessed_Chamber3_MID--AUDIO_10_R3_2018_wav--1", 48000),
    ("validation", 2018, "MIDI-Unprocessed_Chamber3_MID--AUDIO_10_R3_2018_wav--2", 44100),
    ("test", 2006, "MIDI-Unprocessed_01_R1_2006_01-09_ORIG_MID--AUDIO_01_R1_2006_01_Track01_wav", 44100),
]
# Start and end of the key in s, MIDI note; the pedal is down from 0.2 to 1.0 s.
KEYS = [(0.1, 0.15, 60), (0.1, 0.5, 64), (0.3, 0.4, 67), (0.6, 0.7, 67), (1.1, 1.25, 60)]
SUSTAINED = [(0.1, 0.15, 60), (0.1, 1.0, 64), (0.3, 0.6, 67), (0.6, 1.0, 67), (1.1, 1.25, 60)]


def write_midi(path: Path, shift: int = 0) -> None:
    """As MAESTRO's: a track of the tempo, and one of the piano with its sustain and soft pedals, all on one channel."""
    midi = pretty_midi.PrettyMIDI(resolution=384, initial_tempo=120)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(60, pitch + shift, start, end) for start, end, pitch in KEYS]
    piano.control_changes = [
        pretty_midi.ControlChange(64, value, time) for value, time in ((40, 0.1), (64, 0.2), (90, 0.45), (63, 1.0))
    ]
    piano.control_changes += [pretty_midi.ControlChange(67, 127, 0.05)]
    midi.instruments.append(piano)
    midi.write(str(path))


def rows() -> list[dict]:
    records = []
    for number, (split, year, name, _) in enumerate(PIECES):
        files = f"{year}/{name}.midi", f"{year}/{name}.wav"
        values = "Alban Berg", f"Sonata, Op. {number}", split, year, *files, 2.5
        records.append(dict(zip(COLUMNS, values, strict=True)))
    return records


def write_csv(root: Path, records: list[dict], version: str = "v3.0.0") -> None:
    with open(root / f"maestro-{version}.csv", "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(records)


def write_json(root: Path, records: list[dict], version: str = "v3.0.0") -> None:
    """v3 has an object for each column, v1 and v2 one for each recording."""
    columns = {name: {str(n): record[name] for n, record in enumerate(records)} for name in COLUMNS}
    (root / f"maestro-{version}.json").write_text(json.dumps(columns if version == "v3.0.0" else records))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("made") / "maestro-v3.0.0"
    for number, (_, year, name, rate) in enumerate(PIECES):
        (root / str(year)).mkdir(parents=True, exist_ok=True)
        stereo = np.stack([sine(rate, 2.0, 300.0 + 50 * number), sine(rate, 2.0, 500.0 + 90 * number)], 1)
        soundfile.write(root / str(year) / f"{name}.wav", stereo, rate, subtype="PCM_16")
        write_midi(root / str(year) / f"{name}.midi", number)
    for name in ("LICENSE", "README"):
        (root / name).write_text("")
    write_csv(root, rows())
    write_json(root, rows())
    return root


@pytest.fixture
def root(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "maestro-v3.0.0"))


def lines_of(root: Path, split: str = "train", **keys) -> list[str]:
    return Maestro(root, **keys).find(split)[1]


# What is found.


def test_the_table_splits_and_the_year_is_the_group(made):
    source = Maestro(made)
    found = {split: find_pairs(source, split) for split in ("train", "validation", "test")}
    assert {split: [(pair.id, pair.group) for pair in pairs] for split, (pairs, _) in found.items()} == {
        split: [(f"{year}/{name}", str(year)) for of, year, name, _ in PIECES if of == split] for split in found
    }
    assert all(lines == [] for _, lines in found.values())
    assert all(
        pair.audio.suffix == ".wav" and pair.labels.suffix == ".midi" for pairs, _ in found.values() for pair in pairs
    )
    assert {split for split, _ in Maestro(made).files()} == set(found)
    check_source(Maestro, made)


@pytest.mark.parametrize("version", ["v1.0.0", "v2.0.0", "v3.0.0"])
@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_version_and_form_gives_the_same(root, version, form):
    expected = {split: Maestro(root).find(split) for split in ("train", "validation", "test")}
    for name in ("maestro-v3.0.0.csv", "maestro-v3.0.0.json"):
        (root / name).unlink()
    {"csv": write_csv, "json": write_json}[form](root, rows(), version)
    assert {split: Maestro(root).find(split) for split in expected} == expected
    assert f"MAESTRO {version}, split as in its table" in Maestro(root).remark()


@pytest.mark.parametrize(("pedal", "ends"), [(True, SUSTAINED), (False, KEYS)])
def test_notes_are_those_of_an_independent_reading(made, pedal, ends):
    """Of pretty_midi where the pedal is not followed, and of hand where it is; within 1 ms."""
    [recording] = read_split(made, "test", "maestro", options={} if pedal else {"pedal": False})
    assert recording.id.endswith("Track01_wav") and len(recording.audio) == 2 * 44100
    actual = recording.notes / [44100, 44100, 1]
    np.testing.assert_allclose(actual[:, :2], [note[:2] for note in ends], rtol=0, atol=1e-3)
    assert actual[:, 2].tolist() == [note[2] + 3 for note in ends]
    if not pedal:
        [piano] = pretty_midi.PrettyMIDI(str(next(made.glob("2006/*.midi")))).instruments
        read = sorted((note.start, note.end, note.pitch) for note in piano.notes)
        np.testing.assert_allclose(actual, read, rtol=0, atol=1e-3)
    said = "sustained while the pedal" if pedal else "the pedal is not followed"
    assert said in Maestro(made, pedal=pedal).remark()


def test_audio_of_another_rate_is_resampled(made):
    recordings = read_split(made, "train", "maestro")
    assert [len(recording.audio) for recording in recordings] == [88200, 88200]


def test_years_that_are_not_there_are_left_out_and_counted(root):
    shutil.rmtree(root / "2004")
    pairs, [line] = Maestro(root).find("train")
    assert [pair.group for pair in pairs] == ["2018"] and isinstance(line, Remark)
    assert line == f"{root}: no folder 2004: 1 of 2 recordings of train are left out"
    assert lines_of(root, "test") == []


def test_a_recording_that_changes_its_split_changes_the_fingerprint(root):
    before = Maestro(root).fingerprint()
    (root / "maestro-v3.0.0.json").unlink()
    assert Maestro(root).fingerprint() == before
    changed = rows()
    changed[0]["split"] = "validation"
    write_csv(root, changed)
    assert Maestro(root).fingerprint() != before


def test_of_several_versions_the_key_chooses(root):
    changed = rows()
    changed[2]["split"] = "train"
    write_csv(root, changed, "v2.0.0")
    for key in ("v2.0.0", "2.0.0"):
        assert len(Maestro(root, version=key).find("train")[0]) == 3
    assert len(Maestro(root, version="v3.0.0").find("train")[0]) == 2
    assert lines_of(root) == [
        f"{root}: holds tables of v2.0.0, v3.0.0: choose one with data.version=v3.0.0 or the like"
    ]
    assert lines_of(root, version="v1.0.0") == [
        f"{root}: no maestro-v1.0.0.csv or .json, but v2.0.0, v3.0.0: correct data.version"
    ]


def test_the_sentence_below_a_table_needs_no_data(tmp_path):
    assert Maestro(tmp_path / "gone").remark().startswith("MAESTRO of an unknown version, split as in its table.")
    assert Maestro(tmp_path / "gone", version="3.0.0").remark().startswith("MAESTRO v3.0.0, ")


# What is wrong.


def edit(root: Path, number: int, **changes: str) -> None:
    changed = rows()
    changed[number] |= changes
    write_csv(root, changed)


def without_column(root: Path) -> None:
    path = root / "maestro-v3.0.0.csv"
    path.write_text(path.read_text().replace("audio_filename", "audio"))


def only_json(root: Path, content: str) -> None:
    (root / "maestro-v3.0.0.csv").unlink()
    (root / "maestro-v3.0.0.json").write_text(content)


def no_table(root: Path) -> None:
    for path in root.glob("maestro-*"):
        path.unlink()


AUDIO, MIDI = (f"2004/{PIECES[0][2]}.{ending}" for ending in ("wav", "midi"))
TABLE = "maestro-v3.0.0.csv"
FAULTS = {
    "a column is missing": (without_column, "{root}/" + TABLE + ": no column audio_filename: download it again"),
    "WAV without MIDI": (
        lambda root: (root / MIDI).unlink(),
        "{root}/" + f"{MIDI}: no such file, but {TABLE} lists it, line 2: unpack it from the archive again",
    ),
    "MIDI without WAV": (
        lambda root: (root / AUDIO).unlink(),
        "{root}/" + f"{AUDIO}: no such file, but {TABLE} lists it, line 2: unpack it from the archive again",
    ),
    "a split misspelt": (
        lambda root: edit(root, 2, split="validaton"),
        "{root}/" + f"{TABLE}: line 4: split 'validaton' is none of train, test, validation: correct it",
    ),
    "no table": (
        no_table,
        "{root}: no maestro-v3.0.0.csv or .json: correct data.root, or put the table there, which the data set comes "
        "with",
    ),
    "JSON damaged": (
        lambda root: only_json(root, '{"split": {"0": "tra'),
        "{root}/maestro-v3.0.0.json: cannot be read (Unterminated string starting at: line 1 column 17 (char 16)): "
        "download it again",
    ),
    "JSON of another form": (
        lambda root: only_json(root, "[1, 2]"),
        "{root}/maestro-v3.0.0.json: cannot be read (neither an object for each column nor one for each recording): "
        "download it again",
    ),
    "JSON without a column": (
        lambda root: only_json(root, '[{"split": "train", "year": 2004}]'),
        "{root}/maestro-v3.0.0.json: no column audio_filename: download it again",
    ),
    "a recording listed twice": (
        lambda root: edit(root, 1, audio_filename=AUDIO),
        "{root}/" + f"{TABLE}: line 3: {AUDIO} is listed in line 2 already: remove one of the two",
    ),
    "an empty table": (lambda root: write_csv(root, []), "{root}/" + TABLE + ": lists no recording: download it again"),
    "an empty cell": (
        lambda root: edit(root, 0, midi_filename=""),
        "{root}/" + TABLE + ": line 2: '' names no file below the table's folder: correct it",
    ),
    "a file elsewhere": (
        lambda root: edit(root, 0, midi_filename="../x.midi"),
        "{root}/" + TABLE + ": line 2: '../x.midi' names no file below the table's folder: correct it",
    ),
    "a split without recordings": (
        lambda root: [edit(root, 3, split="train")],
        "{root}/" + TABLE + ": lists no recording of test: download it again",
    ),
    "no year of a split": (
        lambda root: shutil.rmtree(root / "2006"),
        "{root}: holds no recording of test, no folder 2006: put the data there",
    ),
    "the archive of MIDI alone": (
        lambda root: [path.unlink() for path in root.glob("*/*.wav")],
        "{root}: holds MIDI alone: put the audio there, of the archive without -midi in its name",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_folder_is_one_clear_line(root, name):
    damage, expected = FAULTS[name]
    damage(root)
    split = "test" if "of a split" in name or "without recordings" in name else "train"
    assert lines_of(root, split) == [expected.format(root=root)]
    with pytest.raises(DataError) as error:
        read_split(root, split, "maestro")
    assert str(error.value) == expected.format(root=root)


def test_the_folder_above_is_told_apart(made):
    assert lines_of(made.parent) == [
        f"{made.parent}: no maestro-v3.0.0.csv or .json: data.root={made} has one"
    ]  # fmt: skip


def test_midi_longer_than_its_audio_is_a_line_with_the_note(root):
    midi = pretty_midi.PrettyMIDI(str(root / MIDI))
    midi.instruments[0].notes.append(pretty_midi.Note(60, 72, 3600.0, 3601.0))
    midi.write(str(root / MIDI))
    with pytest.raises(
        DataError, match=r"2004_05_Track05_wav.midi: instrument 1 \(Acoustic Grand Piano\): note 72 at "
    ):
        read_split(root, "train", "maestro")
