"""Slakh2100's folders: mixes and stems, with the notes of the stems that sound, and a line for each fault."""

import os
import shutil
from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile
import yaml
from test_audio import sine

from sweep.data.reading import find_pairs, read_split
from sweep.data.recording import Changed, DataError, Remark
from sweep.data.sources.slakh import Slakh
from sweep.testing import check_source

# Class, program from 0, its name, plug-in, whether MIDI and audio were written, notes as start, end in s and pitch.
STEMS = {
    "S00": ("Guitar", 30, "Distortion Guitar", "elektrik_guitar.nkm", True, True, [(0.2, 0.5, 52), (0.5, 0.8, 55)]),
    "S01": ("Drums", 128, "Drums", "session_kit_full.nkm", True, True, [(0.1, 0.2, 36)]),
    "S02": ("Piano", 1, "Bright Acoustic Piano", "the_grandeur.nkm", True, True, [(0.1, 0.3, 60), (0.4, 0.7, 64)]),
    "S03": ("Bass", 33, "Electric Bass (finger)", "classic_bass.nkm", True, True, [(0.3, 0.9, 40)]),
    "S04": ("Sound Effects", 103, "FX 8 (sci-fi)", "None", False, False, []),
    "S05": ("Piano", 4, "Electric Piano 1", "e_piano.nkm", True, False, [(0.6, 0.7, 90)]),  # came out silent
    "S06": ("Piano", 0, "Acoustic Grand Piano", "the_grandeur.nkm", True, True, [(0.9, 1.0, 70)]),
    "S07": ("Bass", 36, "Slap Bass 1", "scarbee_jay_bass_slap_both.nkm", True, True, [(1.1, 1.3, 45)]),
}
TRACKS = {"train": ("Track00001", "Track00004"), "validation": ("Track01501",), "test": ("Track01876",)}
PITCHED = ("S00", "S02", "S03", "S06", "S07")


def write_midi(path: Path, *names: str) -> None:
    midi = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=100)
    for name in names:
        kind, program, called, _, _, _, notes = STEMS[name]
        player = pretty_midi.Instrument(program % 128, kind == "Drums", called)
        player.notes = [pretty_midi.Note(90, pitch, start, end) for start, end, pitch in notes]
        if name == "S02":  # down from 0.2 to 0.6 s
            player.control_changes = [pretty_midi.ControlChange(64, v, t) for v, t in ((127, 0.2), (0, 0.6))]
        midi.instruments.append(player)
    path.parent.mkdir(parents=True, exist_ok=True)
    midi.write(str(path))


def metadata(uuid: str, marked: bool = True) -> dict:
    stems = {
        name: {
            "audio_rendered": audio and marked,
            "inst_class": kind,
            "is_drum": kind == "Drums",
            "midi_program_name": called,
            "midi_saved": midi and marked,
            "plugin_name": plugin,
            "program_num": program,
        }
        for name, (kind, program, called, plugin, midi, audio, _) in STEMS.items()
    }
    places = {"audio_dir": "stems", "midi_dir": "MIDI", "lmd_midi_dir": f"lmd_matched/O/O/H/TROOH/{uuid}.mid"}
    gains = {"normalization_factor": -13.0, "normalized": True, "overall_gain": 0.1827, "target_peak": -1.0}
    return {"UUID": uuid, **places, **gains, "stems": stems}


def write_track(folder: Path, number: int, ending: str = "flac", rate: int = 44100) -> None:
    (folder / "stems").mkdir(parents=True)
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata(f"{number:032x}")))
    soundfile.write(folder / f"mix.{ending}", sine(rate, 1.5, 200.0 + 31 * number), rate)
    for place, (name, (*_, midi, audio, _)) in enumerate(STEMS.items()):
        if midi:
            write_midi(folder / "MIDI" / f"{name}.mid", name)
        if audio:
            tone = sine(rate, 1.5, 300.0 + 31 * number + 97 * place)
            soundfile.write(folder / "stems" / f"{name}.{ending}", tone, rate)
    write_midi(folder / "all_src.mid", *STEMS)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("made") / "slakh2100_flac_redux"
    tracks = [(split, track) for split, names in TRACKS.items() for track in names]
    for number, (split, track) in enumerate([*tracks, ("omitted", "Track00049")]):
        write_track(root / split / track, number)
    return root


@pytest.fixture
def root(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "slakh"))


def lines_of(root: Path, split: str = "train", **keys) -> list[str]:
    return Slakh(root, **keys).find(split)[1]


def by_pretty_midi(root: Path, *stems: str) -> list[tuple[float, float, int]]:
    """The notes of the stems of the test track, without the pedal."""
    files = (pretty_midi.PrettyMIDI(str(root / "test" / "Track01876" / "MIDI" / f"{stem}.mid")) for stem in stems)
    players = (player for midi in files for player in midi.instruments)
    return sorted((note.start, note.end, note.pitch) for player in players for note in player.notes)


# What is found.


def test_a_mix_a_track_and_omitted_is_not_read(made):
    for split, names in TRACKS.items():
        pairs, lines = find_pairs(Slakh(made), split)
        assert [(pair.id, pair.audio.name, pair.group) for pair in pairs] == [(name, "mix.flac", "") for name in names]
        assert lines == []
    check_source(Slakh, made)


def test_stems_of_a_class_are_recordings_of_their_track(made):
    pairs, lines = find_pairs(Slakh(made, stems="Piano"), "train")
    assert lines == [] and [(pair.id, pair.audio.name, pair.labels.name, pair.group) for pair in pairs] == [
        (f"{track}-{stem}", f"{stem}.flac", f"{stem}.mid", track)
        for track in TRACKS["train"]
        for stem in ("S02", "S06")  # S05 came out silent
    ]
    check_source(Slakh, made, stems="Piano")


def test_the_mix_has_the_notes_of_all_stems_that_sound_but_drums(made):
    """Within 1 ms of pretty_midi's, without the pedal; with it the piano's first note goes on to 0.6 s, by hand."""
    [recording] = read_split(made, "test", "slakh", options={"pedal": False})
    expected = by_pretty_midi(made, *PITCHED)
    assert recording.id == "Track01876" and len(expected) == 7
    np.testing.assert_allclose(recording.notes / [44100, 44100, 1], expected, rtol=0, atol=1e-3)
    remarks: list[str] = []
    [sustained] = read_split(made, "test", "slakh", remarks=remarks)
    assert not remarks
    ends = [0.6 if pitch == 60 else end for _, end, pitch in expected]
    np.testing.assert_allclose(sustained.notes[:, 1] / 44100, ends, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("kind", "stems"), [("Piano", ("S02", "S06")), ("Guitar", ("S00",)), ("Bass", ("S03", "S07"))])
def test_a_stem_has_the_notes_of_its_own_midi(made, kind, stems):
    recordings = read_split(made, "test", "slakh", options={"stems": kind, "pedal": False})
    assert [recording.id for recording in recordings] == [f"Track01876-{stem}" for stem in stems]
    for recording, stem in zip(recordings, stems, strict=True):
        np.testing.assert_allclose(recording.notes / [44100, 44100, 1], by_pretty_midi(made, stem), rtol=0, atol=1e-3)


@pytest.mark.parametrize("keys", [{}, {"stems": "Bass"}])
def test_the_bass_is_moved_where_it_sounds_if_asked_but_for_the_plug_in_that_is_right(made, keys):
    pitches = [
        {
            pitch
            for recording in read_split(made, "test", "slakh", options={**keys, "lower_bass": lower})
            for pitch in recording.notes[:, 2].tolist()
        }
        for lower in (False, True)
    ]
    assert pitches[0] - pitches[1] == {40} and pitches[1] - pitches[0] == {28} and 45 in pitches[1]
    assert "the bass moved down" in Slakh(made, lower_bass=True).remark()


def test_the_sentence_below_a_table(made, tmp_path):
    counts = "2 train and 1 validation and 1 test"
    said = Slakh(made).remark()
    assert said.startswith(
        f"Slakh2100-redux, mixes of tracks by their folders, {counts}. Labels: MIDI without the drums, "
    )
    assert said.endswith("until the key is struck again; the bass an octave above its sound.")
    for split, count in zip(("train", "validation", "test"), (1289, 270, 151), strict=True):
        for number in range(count):
            (tmp_path / "redux" / split / f"Track{number:05}").mkdir(parents=True)
    assert (
        Slakh(tmp_path / "redux").remark().startswith("Slakh2100-redux, mixes of tracks by their folders, 1,289 train ")
    )
    gone = Slakh(tmp_path / "gone", stems="Piano", pedal=False).remark()
    assert gone.startswith("Slakh2100, stems of Piano. Labels: MIDI without the drums, from key down to key up, ")


def test_the_midi_of_the_stems_is_in_the_fingerprint(root):
    source = Slakh(root)
    files = {path.relative_to(root).as_posix() for _, path in source.files()}
    assert "validation/Track01501/MIDI/S03.mid" in files and "test/Track01876/metadata.yaml" in files
    assert not any("S01" in name or "S05" in name or "omitted" in name for name in files)
    before = source.fingerprint()
    (root / "test" / "Track01876" / "MIDI" / "S03.mid").write_bytes(b"MThd")
    assert source.fingerprint() != before


def test_every_change_is_counted_with_its_stem(root):
    write_midi(root / "test" / "Track01876" / "MIDI" / "S03.mid", "S03", "S01")  # drums in the MIDI of the bass
    remarks: list[str] = []
    read_split(root, "test", "slakh", remarks=remarks)
    [line] = remarks
    assert isinstance(line, Changed) and (line.what, line.notes) == ("notes of drums, left out", 1)
    assert "Track01876/metadata.yaml: instrument " in line and "(S03.mid, Drums): note 36 at 0.100 s" in line


def test_a_track_of_babyslakh_whose_metadata_mark_no_stem(root):
    """Its stems are WAV of 16 kHz; those that have MIDI and audio count."""
    shutil.rmtree(root / "test" / "Track01876")
    write_track(root / "test" / "Track01876", 9, "wav", 16000)
    (root / "test" / "Track01876" / "metadata.yaml").write_text(yaml.safe_dump(metadata("9", marked=False)))
    [recording] = read_split(root, "test", "slakh", options={"pedal": False})
    assert recording.path.name == "mix.wav" and len(recording.audio) == 66150
    np.testing.assert_allclose(recording.notes / [44100, 44100, 1], by_pretty_midi(root, *PITCHED), rtol=0, atol=1e-3)
    assert len(find_pairs(Slakh(root, stems="Piano"), "test")[0]) == 2


def test_tracks_of_the_original_split_with_the_same_midi_are_counted(root):
    content = (root / "train" / "Track00004" / "metadata.yaml").read_text()
    (root / "test" / "Track01876" / "metadata.yaml").write_text(content)
    [line] = lines_of(root, "test")
    assert isinstance(line, Remark) and lines_of(root) == []
    assert line == f"{root}/test: 1 of 1 tracks have MIDI that train or validation has too: take the redux split"


# What is wrong.

TRACK = "train/Track00001"
LISTED = f"{TRACK}/metadata.yaml"


def edit(root: Path, **changes) -> None:
    content = metadata("1")
    content["stems"] = {name: {**stem, **changes} for name, stem in content["stems"].items()}
    (root / LISTED).write_text(yaml.safe_dump(content))


AGAIN = "unpack it from the archive again"
FAULTS = {
    "gone": (lambda root: (root / LISTED).unlink(), f"{LISTED}: cannot be read (No such file or directory): {AGAIN}"),
    "metadata damaged": (
        lambda root: (root / LISTED).write_text("stems: {S00: [\n"),
        f"{LISTED}: is no metadata of a track (",
    ),
    "metadata of another form": (
        lambda root: (root / LISTED).write_text("stems:\n  S00: {is_drum: false}\n"),
        f"{LISTED}: is no metadata of a track (no stems, each with inst_class): {AGAIN}",
    ),
    "a stem outside of the track": (
        lambda root: (root / LISTED).write_text("stems:\n  ../../S00: {inst_class: Piano}\n"),
        f"{LISTED}: is no metadata of a track (stem '../../S00' is not called S and digits): {AGAIN}",
    ),
    "no mix": (lambda root: (root / TRACK / "mix.flac").unlink(), f"{TRACK}/mix.flac: no such file: {AGAIN}"),
    "MIDI of a stem missing": (
        lambda root: (root / TRACK / "MIDI/S03.mid").unlink(),
        f"{TRACK}/MIDI/S03.mid: no such file: {AGAIN}",
    ),
    "only drums": (
        lambda root: edit(root, is_drum=True),
        f"{LISTED}: no stem but drums that was rendered, so there are no notes: remove the track",
    ),
    "a split without tracks": (
        lambda root: shutil.rmtree(root / "train"),
        "train: holds no Track00001 or the like: put the tracks there or correct data.root",
    ),
    "tracks without a split": (
        lambda root: [shutil.move(root / TRACK, root), shutil.rmtree(root / "train")],
        ": holds tracks without a split, as BabySlakh does: move them into folders train, test, validation",
    ),
    "audio of a stem missing, Piano": (
        lambda root: (root / TRACK / "stems/S02.flac").unlink(),
        f"{TRACK}/stems/S02.flac: no such file: {AGAIN}",
    ),
    "an unknown class, Pianno": (
        lambda root: None,
        "train: no stem of class 'Pianno': data.stems takes here mix, Bass, Guitar, Piano",
    ),
    "a class without notes, Drums": (
        lambda root: None,
        "train: no stem of class 'Drums': data.stems takes here mix, Bass, Guitar, Piano",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_folder_is_one_clear_line(root, name):
    damage, expected = FAULTS[name]
    damage(root)
    stems = name.partition(", ")[2] or "mix"
    [line] = lines_of(root, stems=stems)
    start = f"{root}{'' if expected.startswith(':') else '/'}{expected}"
    assert line.startswith(start) and "\n" not in line
    assert line == start or (expected.endswith("(") and line.endswith(AGAIN))
    with pytest.raises(DataError) as error:
        read_split(root, "train", "slakh", options={"stems": stems})
    assert str(error.value) == line


def test_metadata_are_read_once_until_they_change(root):
    state, found = (root / LISTED).stat(), Slakh(root).find("train")
    (root / LISTED).write_bytes(b"#" * state.st_size)
    os.utime(root / LISTED, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert Slakh(root).find("train") == found and not found[1]
    os.utime(root / LISTED)
    assert Slakh(root).find("train")[1]


def test_damaged_midi_is_named(root):
    path = root / TRACK / "MIDI" / "S00.mid"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"Track00001/MIDI/S00.mid: cannot be read as MIDI \(it ends early\)"):
        read_split(root, "train", "slakh")
