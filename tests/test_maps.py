"""MAPS as it unpacks: which recordings are trained and tested on, what its labels say, and what is wrong in a line."""

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from configs import make_config
from mir_eval.io import load_valued_intervals
from rich.console import Console

from sweep import testing
from sweep.data.reading import find_pairs, read_split
from sweep.data.recording import DataError, Remark
from sweep.data.report import report
from sweep.data.sources.maps import Maps
from sweep.scheduling.plan import fingerprinted

RATE = 16000
HEADER = "OnsetTime\tOffsetTime\tMidiPitch\n"
ROWS = "0.1\t0.45\t60\n0.100004\t0.262859\t67\n0.5\t0.75\t60\n\n"
SYNTHESISED = ("AkPnBcht", "AkPnBsdf", "AkPnCGdD", "AkPnStgb", "SptkBGAm", "SptkBGCl", "StbgTGd2")


def add(folder: Path, piece: str, labels: str = HEADER + ROWS) -> Path:
    """The three files of a recording in folder/MUS, of the piano that the folder is called: the path of the WAV."""
    path = folder / "MUS" / f"MAPS_MUS-{piece}_{folder.name}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(sum(map(ord, path.stem))).uniform(-0.5, 0.5, (RATE, 2))
    soundfile.write(path, noise, RATE)
    path.with_suffix(".txt").write_bytes(labels.replace("\n", "\r\n").encode())
    # 1,000 ticks a second: a key goes down at 0.1 s and up at 0.2 s, the pedal is down from 0.15 s to 0.45 s.
    events = (("note_on", 100, 60), ("control_change", 50, 127), ("note_off", 50, 60), ("control_change", 250, 0))
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    for kind, ticks, value in events:
        fields = {"control": 64, "value": value} if kind == "control_change" else {"note": value, "velocity": 60}
        track.append(mido.Message(kind, time=ticks, **fields))
    mido.MidiFile(type=1, ticks_per_beat=500, tracks=[track]).save(path.with_suffix(".mid"))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Seven recordings below MAPS/, ENSTDkAm in the folders of its two archives, and folders that are not read."""
    maps = tmp_path / "set" / "MAPS"
    for folder, piece in (
        ("ENSTDkAm1/ENSTDkAm", "bk_xmas1"),
        ("ENSTDkAm2/ENSTDkAm", "ty_mai"),
        ("ENSTDkCl", "chpn-p11"),
        ("AkPnBcht", "ty_mai"),
        ("AkPnBcht", "muss_5"),
        ("SptkBGCl", "chpn-p11-format0"),  # another piece, by its name: 139 are left in the whole of MAPS
        ("StbgTGd2", "bk_xmas1"),
    ):
        add(maps / folder, piece)
    single = maps / "AkPnBcht" / "ISOL" / "MUS" / "MAPS_MUS-no_AkPnBcht.wav"
    single.parent.mkdir(parents=True)
    single.write_bytes(b"not read")
    (maps / "A-MAPS").mkdir()
    (maps / "A-MAPS" / "MAPS_MUS-ty_mai_AkPnBcht.txt").write_text("another set's labels of the same names")
    return tmp_path / "set"


def problems(root: Path, split: str = "test", **keys) -> list[str]:
    return [line for line in find_pairs(Maps(root, **keys), split)[1] if not isinstance(line, Remark)]


def test_configuration_2_without_the_pieces_of_the_test(root):
    train, said = find_pairs(Maps(root), "train")
    assert {pair.id: pair.group for pair in train} == {
        "muss_5_AkPnBcht": "AkPnBcht",
        "chpn-p11-format0_SptkBGCl": "SptkBG",
    }
    assert f"{root}: 2 of 4 training recordings left out: the test has their pieces" in said
    assert all(isinstance(line, Remark) for line in said)
    test, said = find_pairs(Maps(root), "test")
    assert {pair.id for pair in test} == {"bk_xmas1_ENSTDkAm", "ty_mai_ENSTDkAm", "chpn-p11_ENSTDkCl"}
    assert {pair.group for pair in test} == {"ENSTDk"}  # one piano, heard from afar and from nearby
    assert said == [f"{root}: not all 30 recordings of each piano, ENSTDkAm 2, ENSTDkCl 1: unpack the others too"]
    assert isinstance(said[0], Remark)


def test_the_folder_maps_itself_is_taken_too(root):
    assert [pair.id for pair in find_pairs(Maps(root / "MAPS"), "train")[0]] == [
        pair.id for pair in find_pairs(Maps(root), "train")[0]
    ]


def test_a_whole_piano_has_no_remark(tmp_path):
    for piano in ("ENSTDkAm", "ENSTDkCl"):
        first = add(tmp_path / piano, "0")
        for number in range(1, 30):
            for ending in (".wav", ".txt"):
                name = f"MAPS_MUS-{number}_{piano}{ending}"
                shutil.copyfile(first.with_suffix(ending), first.with_name(name))
    assert find_pairs(Maps(tmp_path), "test")[1] == []


def test_text_labels_as_mir_eval_reads_them(root):
    for recording in read_split(root, "test", "maps"):
        intervals, pitches = load_valued_intervals(recording.path.with_suffix(".txt"), comment=r"Onset|\s*$")
        assert len(pitches) == 3 and recording.notes[:, 2].tolist() == pitches.tolist()
        assert np.allclose(recording.notes[:, :2] / recording.sample_rate, intervals, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("pedal", "end"), [(False, 0.2), (True, 0.45)])
def test_midi_with_and_without_the_pedal(root, pedal, end):
    options = {"labels": "midi", "pedal": pedal}
    recordings = read_split(root, "test", "maps", options=options)
    assert [recording.notes[:, 2].tolist() for recording in recordings] == [[60]] * 3
    for recording in recordings:
        assert np.allclose(recording.notes[0, :2] / recording.sample_rate, [0.1, end], rtol=0, atol=1e-3)
    assert Maps(root, **options).remark() != Maps(root, labels="midi", pedal=not pedal).remark()


def test_the_sentence_below_the_table(root):
    assert Maps(root).remark() == (
        "MAPS: tested on the Disklavier, trained on the synthesised pianos without the pieces that it plays "
        "(configuration 2); labels: its text files, whose notes end with the pedal."
    )
    assert "MIDI, from key down to key up" in Maps(root, labels="midi").remark()


def test_a_note_without_duration_is_left_out_and_counted(root):
    add(root / "MAPS" / "ENSTDkCl", "deb_clai", HEADER + "0.2\t0.2\t60\n0.3\t0.4\t62\n")
    said: list[str] = []
    notes = {recording.id: recording.notes for recording in read_split(root, "test", "maps", remarks=said)}
    assert notes["deb_clai_ENSTDkCl"].tolist() == [[13230, 17640, 62]]
    [line] = [line for line in said if "without duration" in line]
    assert "deb_clai_ENSTDkCl.txt" in line and "note 60 at 0.200 s" in line and isinstance(line, Remark)


@pytest.mark.parametrize("keys", [{}, {"labels": "midi", "pedal": True}])
def test_held_to_what_every_source_is(root, keys):
    testing.check_source(Maps, root, **keys)


def test_its_keys_in_a_configuration(root):
    config = make_config("data=maps", f"data.root={root}", "data.labels=midi", "data.pedal=true", "data.shift=0.02")
    assert config.data.options == {"labels": "midi", "pedal": True}
    assert make_config("data=maps", f"data.root={root}").data.options == {"labels": "txt", "pedal": False}
    texts = fingerprinted(make_config("data=maps", f"data.root={root}").data)
    assert fingerprinted(config.data).fingerprint != texts.fingerprint  # other files


# Faults: a line each, with the file, what is wrong and the remedy.


def nested(root: Path) -> None:
    shutil.copytree(root / "MAPS/ENSTDkCl", root / "MAPS/ENSTDkCl/ENSTDkCl")


def only_notes(root: Path) -> None:
    for folder in root.rglob("MUS"):
        shutil.rmtree(folder)


CL = "MAPS/ENSTDkCl/MUS/MAPS_MUS-chpn-p11_ENSTDkCl"
FAULTS = {
    "no folder": (shutil.rmtree, "test", "", "no such folder: correct data.root"),
    "no music": (only_notes, "test", "", "MAPS_MUS-* but ISOL, which are notes and chords: unpack it or correct"),
    "no labels": (
        lambda root: (root / f"{CL}.txt").unlink(),
        "test",
        f"{CL}.wav",
        "no .txt of this name: unpack its archive again or remove the recording",
    ),
    "no audio": (
        lambda root: (root / f"{CL}.wav").unlink(),
        "test",
        f"{CL}.txt",
        "no .wav of this name: unpack its archive again or remove the labels",
    ),
    "unknown piano": (
        lambda root: add(root / "MAPS/Steinway", "ty_mai"),
        "train",
        "MAPS/Steinway/MUS/MAPS_MUS-ty_mai_Steinway.txt",
        "Steinway is none of the pianos AkPnBcht, AkPnBsdf, ",
    ),
    "another name": (
        lambda root: (root / f"{CL}.wav").rename(root / "MAPS/ENSTDkCl/MUS/chopin.wav"),
        "test",
        "MAPS/ENSTDkCl/MUS/chopin.wav",
        "not called MAPS_MUS-<piece>_<piano>.wav: rename it or move it away",
    ),
    "nested twice": (nested, "test", "MAPS/ENSTDkCl/MUS", "ENSTDkCl.txt: remove one of the two folders"),
    "a test piano missing": (
        lambda root: shutil.rmtree(root / "MAPS/ENSTDkCl"),
        "test",
        "",
        "holds no recording of ENSTDkCl, which the test is on: unpack its archives there",
    ),
    "nothing to train on": (
        lambda root: [shutil.rmtree(root / f"MAPS/{piano}") for piano in ("AkPnBcht", "SptkBGCl")],
        "train",
        "",
        "holds no recording for training: unpack the archives of AkPnBcht, ",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_folder_is_a_line(root, name):
    damage, split, file, words = FAULTS[name]
    damage(root)
    first, *_ = problems(root, split)
    assert first.startswith(f"{root / file}: ") and words in first and "\n" not in first


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"labels": "text"}, "data.labels text: is none of txt, midi: choose one"),
        (
            {"pedal": True},
            "data.pedal true: is for data.labels=midi, the notes of data.labels=txt end with the pedal already: "
            "choose one of the two",
        ),
    ],
)
def test_wrong_keys_are_a_line(root, keys, line):
    assert problems(root, **keys) == [line]


WRONG_TEXT = {
    "": (1, "no column OnsetTime, OffsetTime, MidiPitch in ''"),
    "OnsetTime,OffsetTime,MidiPitch\n": (1, "no column OnsetTime, OffsetTime, MidiPitch in 'OnsetTime,OffsetTime,"),
    "OnsetTime\tOffsetTime\tPitch\n" + ROWS: (1, "no column MidiPitch in 'OnsetTime\\tOffsetTime\\tPitch'"),
    HEADER + ROWS + "0.8\t0.7\t60\n": (6, "'0.8\\t0.7\\t60': needs 0 <= OnsetTime <= OffsetTime"),
    HEADER + "-0.8\t0.7\t60\n": (2, "needs 0 <= OnsetTime <= OffsetTime"),
    HEADER + "0.1\tnan\t60\n": (2, "needs 0 <= OnsetTime <= OffsetTime"),
    HEADER + "0.1\t0.2\t60.5\n": (2, "a MidiPitch of 0..127: correct the row"),
    HEADER + "0.1\t0.2\t128\n": (2, "a MidiPitch of 0..127: correct the row"),
    HEADER + "0.1\tlate\t60\n": (2, "'0.1\\tlate\\t60': needs OnsetTime, OffsetTime, MidiPitch between tabs: correct"),
    HEADER + "0.1 0.2 60\n": (2, "needs OnsetTime, OffsetTime, MidiPitch between tabs: correct the row"),
}


@pytest.mark.parametrize("text", WRONG_TEXT)
def test_wrong_labels_are_a_line_with_their_place(root, text):
    path = root / f"{CL}.txt"
    path.write_text(text)
    line, words = WRONG_TEXT[text]
    with pytest.raises(DataError) as error:
        read_split(root, "test", "maps")
    assert str(error.value).startswith(f"{path}:{line}: ") and words in str(error.value)


def test_labels_longer_than_the_audio_and_of_no_text(root):
    (root / f"{CL}.txt").write_text(HEADER + "3600.5\t3601\t60\n")
    (root / "MAPS/AkPnBcht/MUS/MAPS_MUS-muss_5_AkPnBcht.txt").write_bytes(b"\xff\xfe\x00")
    found = report(root, "maps", Console(quiet=True))  # that audio of a second is short is a problem too
    no_text, late = (line for line in found if ".txt: " in line)
    assert late.startswith(f"{root / CL}.txt: ") and "note 60 at 3600.500 s is not within the recording's 1.000" in late
    assert "cannot be read as text" in no_text and no_text.endswith("unpack it again")
