"""MusicNet with MIDI in place of its own labels, as MusicNetEM is: musicnet_em/<id>.mid beside MusicNet's folders."""

import csv
import shutil
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from configs import make_config
from conftest import SHARED

from sweep.config import differences
from sweep.data.reading import find_pairs, read, read_split
from sweep.data.recording import DataError, Remark
from sweep.data.sources.musicnet import MusicNet
from sweep.testing import check_source

RATE = 44100
# By id: split, and the notes of its MIDI: onset and offset in s, MIDI note, program.
SET = {
    "1727": ("train", [(0.25, 0.75, 60, 0), (0.5, 1.5, 67, 40)]),
    "1733": ("train", [(0.0, 1.0, 57, 0)]),
    "2303": ("test", [(0.125, 0.5, 72, 0), (1.0, 1.25, 72, 0)]),
    "2382": ("test", [(0.3, 0.9, 48, 42)]),
}


def write_midi(path: Path, notes: list[tuple[float, float, int, int]]) -> None:
    """A track for each program, at 1,000 ticks a second."""
    file = mido.MidiFile(ticks_per_beat=500)
    for channel, program in enumerate(sorted({note[3] for note in notes})):
        events = [(start, "note_on", pitch) for start, _, pitch, its in notes if its == program]
        events += [(end, "note_off", pitch) for _, end, pitch, its in notes if its == program]
        track, now = mido.MidiTrack([mido.Message("program_change", program=program, channel=channel)]), 0
        for time, kind, pitch in sorted(events):
            tick = round(time * 1000)
            track.append(mido.Message(kind, note=pitch, velocity=64, channel=channel, time=tick - now))
            now = tick
        file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)


@pytest.fixture
def root(tmp_path) -> Path:
    """MusicNet's folders with labels of its own, one note from 0 to 1 s, and musicnet_em/ in them."""
    for id, (split, notes) in SET.items():
        audio, labels = (tmp_path / "musicnet" / f"{split}_{kind}" / id for kind in ("data", "labels"))
        audio.parent.mkdir(parents=True, exist_ok=True)
        labels.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(int(id)).uniform(-0.5, 0.5, 2 * RATE)
        soundfile.write(audio.with_suffix(".wav"), noise, RATE)
        labels.with_suffix(".csv").write_text(f"start_time,end_time,instrument,note\n0,{RATE},1,50\n")
        write_midi(tmp_path / "musicnet" / "musicnet_em" / f"{id}.mid", notes)
    return tmp_path / "musicnet"


def with_midi(folder: Path) -> dict[str, str]:
    return {"labels": "midi", "labels_root": str(folder)}


def test_each_recording_has_the_notes_of_its_midi(root):
    splits, remarks = read(root, options=with_midi(root / "musicnet_em"))
    assert not remarks
    found = {recording.id: (split, recording.notes) for split, part in splits.items() for recording in part}
    assert found.keys() == SET.keys()
    for id, (split, notes) in SET.items():
        assert found[id][0] == split
        expected = sorted((round(start * RATE), round(end * RATE), pitch) for start, end, pitch, _ in notes)
        assert np.abs(found[id][1] - expected).max() <= 1, id
    own, _ = read(root)
    assert all(recording.notes.tolist() == [[0, RATE, 50, 1]] for part in own.values() for recording in part)


def test_its_own_labels_need_not_be_there(root):
    for split in ("train", "test"):
        shutil.rmtree(root / f"{split}_labels")
    check_source(MusicNet, root, **with_midi(root / "musicnet_em"))


def test_recordings_without_midi_are_named(root):
    em = root / "musicnet_em"
    (em / "1733.mid").unlink()
    (em / "2382.mid").unlink()
    write_midi(em / "9999.mid", [(0.0, 1.0, 60, 0)])  # of no recording here, as in a part of MusicNet
    source = MusicNet(root, **with_midi(em))
    for split, kept, lacking in (("train", "1727", "1733"), ("test", "2303", "2382")):
        pairs, [line] = find_pairs(source, split)
        assert [pair.id for pair in pairs] == [kept] and isinstance(line, Remark)
        assert line == f"{em}: no MIDI for 1 of 2 {split} recordings, left out: {lacking}"
    assert source.remark() == (
        "Labels: MIDI of musicnet_em in place of the data set's own, without the pedal; "
        "left out, since it lacks them: test 2382."
    )
    shutil.rmtree(root)
    assert source.remark() == "Labels: MIDI of musicnet_em in place of the data set's own, without the pedal."
    assert MusicNet(root).remark().startswith("Labels as in the CSV: MusicNet's are a score's notes")


def twice(em: Path) -> None:
    write_midi(em / "strings" / "1727.mid", SET["1727"][1])


def unaligned(em: Path) -> None:
    """As MusicNet's scores are named, which are not aligned to its recordings."""
    for path in em.glob("*.mid"):
        path.rename(path.with_stem(f"{path.stem}_kv_465_1"))


FAULTS = {
    "of another kind": (None, {"labels": "em"}, r"data\.labels em: is none of own, midi: choose one"),
    "no folder": (
        None,
        {"labels_root": None},
        r"data\.labels_root null: with data\.labels=midi: name the folder of .*",
    ),
    "a folder too many": (None, {"labels": "own"}, r"data\.labels_root .*: with data\.labels=own: add .* or drop it"),
    "no such folder": (shutil.rmtree, {}, r".*/musicnet_em: no such folder: correct data\.labels_root"),
    "twice": (twice, {}, r".*/strings/1727\.mid: same id as 1727\.mid: remove one of the two"),
    "scores": (unaligned, {}, r".*/musicnet_em: holds no MIDI of a train recording, such as 1727\.mid: correct .*"),
}


@pytest.mark.parametrize("change, keys, line", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(root, change, keys, line):
    em = root / "musicnet_em"
    if change:
        change(em)
    with pytest.raises(DataError, match=f"^{line}$"):
        read(root, options={**with_midi(em), **keys})


def test_the_choice_counts_for_the_identity_and_its_place_does_not(root, tmp_path):
    def identity(*words: str) -> dict:
        return make_config("data=musicnet", f"data.root={root}", *words).identity

    own, here, there = identity(), *(identity("data.labels=midi", f"data.labels_root={name}") for name in ("a", "b"))
    assert here == there and not any("root" in key for key in here)
    assert differences(own, here) == ['data.labels: "own" -> "midi"']
    em, moved = root / "musicnet_em", tmp_path / "elsewhere" / "em"
    before = MusicNet(root, **with_midi(em)).fingerprint()
    assert before not in (None, MusicNet(root).fingerprint())
    moved.parent.mkdir()
    em.rename(moved)
    assert MusicNet(root, **with_midi(moved)).fingerprint() == before
    write_midi(moved / "2303.mid", SET["2303"][1][:1])
    assert MusicNet(root, **with_midi(moved)).fingerprint() != before


@pytest.mark.skipif(not (SHARED / "musicnet-mini").is_dir(), reason="genuine recordings are not at hand")
def test_a_genuine_recording_has_the_same_notes_in_midi_as_in_csv(tmp_path):
    mini = SHARED / "musicnet-mini"
    with open(mini / "test_labels" / "2303.csv") as file:
        rows = list(csv.DictReader(file))
    notes = [(int(row["start_time"]) / RATE, int(row["end_time"]) / RATE, int(row["note"]), 0) for row in rows]
    write_midi(tmp_path / "2303.mid", notes)
    [recording] = read_split(mini, "test", options=with_midi(tmp_path))
    expected = np.array([(round(start * RATE), round(end * RATE), pitch) for start, end, pitch, _ in notes])
    assert len(recording.notes) == len(rows) > 100
    for pitch in np.unique(expected[:, 2]):
        found, wanted = (part[part[:, 2] == pitch, :2] for part in (recording.notes, expected))
        assert np.abs(np.sort(found, axis=0) - np.sort(wanted, axis=0)).max() <= 0.001 * RATE, pitch
