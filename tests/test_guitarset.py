"""GuitarSet as it unpacks: recordings by player and by progression, the notes of its JAMS, and faults in a line."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from configs import make_config

from sweep import testing
from sweep.data.reading import find_pairs, read_split
from sweep.data.recording import DataError, Remark
from sweep.data.sources.guitarset import GuitarSet
from sweep.scheduling.plan import fingerprinted

RATE = 16000
# Onset and duration in s and MIDI number of each note, by string from the lowest; a string may have none.
STRINGS = [
    [(0.1, 0.2, 40.07), (0.5, 0.25, 42.93)],
    [(0.1, 0.3, 45.49)],
    [],
    [(0.3, 0.1, 54.51), (0.5, 0.25, 43.2)],  # the last as on the lowest string, at the same time
    [(0.62, 0.11, 58.96)],
    [],
]
NOTES = [(0.1, 0.3, 40), (0.1, 0.4, 45), (0.3, 0.4, 55), (0.5, 0.75, 43), (0.5, 0.75, 43), (0.62, 0.73, 59)]
NAMES = ("00_BN1-129-Eb_comp", "02_Rock3-148-C_solo", "05_SS3-84-Bb_comp", "05_Jazz2-187-F#_solo")


def annotation(namespace: str, data, source: str = "") -> dict:
    """An annotation in the form in which jams 0.3 writes it."""
    about = {"curator": {"name": "", "email": ""}, "annotator": {}, "version": "", "corpus": "", "data_source": source}
    return {"annotation_metadata": about, "namespace": namespace, "data": data, "sandbox": {}, "time": 0, "duration": 1}


def observations(notes: list[tuple[float, float, float]]) -> list[dict]:
    return [{"time": time, "duration": length, "value": value, "confidence": None} for time, length, value in notes]


def jams(strings=STRINGS) -> dict:
    """The content of a JAMS file: for each string its pitch contour and its notes, then beats and tempo."""
    found = []
    for number, notes in enumerate(strings):
        contour = {"time": [0.1], "duration": [0.0], "value": [{"voiced": True, "index": 0, "frequency": 82.4}]}
        found += [annotation("pitch_contour", {**contour, "confidence": [None]}, str(number))]
        found += [annotation("note_midi", observations(notes), str(number))]
    found += [
        annotation("beat_position", []),
        annotation("tempo", [{"time": 0, "duration": 1, "value": 129.0, "confidence": 1.0}]),
    ]
    about = {"title": "", "artist": "", "release": "", "duration": 1.0, "identifiers": {}, "jams_version": "0.3.1"}
    return {"annotations": found, "file_metadata": about, "sandbox": {}}


def add(root: Path, name: str, content: dict | None = None) -> Path:
    """The files of a recording: both kinds of audio, and the JAMS, whose path is returned."""
    for folder, tail in (("audio_mono-mic", "mic"), ("audio_mono-pickup_mix", "mix")):
        path = root / folder / f"{name}_{tail}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(sum(map(ord, path.stem))).uniform(-0.5, 0.5, RATE), RATE)
    path = root / "annotation" / f"{name}.jams"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(jams() if content is None else content))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        add(tmp_path / "set", name)
    return tmp_path / "set"


def names(root: Path, part: str, **keys) -> dict[str, str]:
    pairs, said = find_pairs(GuitarSet(root, **keys), part)
    assert said == []
    return {pair.id: pair.group for pair in pairs}


def test_the_split_by_player(root):
    assert names(root, "train") == {NAMES[0]: "player 0", NAMES[1]: "player 2"}
    assert names(root, "test") == {NAMES[2]: "player 5", NAMES[3]: "player 5"}
    assert list(names(root, "test", test_player=2)) == [NAMES[1]]


def test_the_split_by_progression(root):
    assert set(names(root, "test", split="progression")) == {NAMES[1], NAMES[2]}
    assert set(names(root, "train", split="progression")) == {NAMES[0], NAMES[3]}
    assert set(names(root, "test", split="progression", test_progression=1)) == {NAMES[0]}


@pytest.mark.parametrize("audio", ["mic", "mix"])
def test_only_the_audio_that_is_asked_for_is_read(root, audio):
    other = {"mic": "audio_mono-pickup_mix", "mix": "audio_mono-mic"}[audio]
    shutil.rmtree(root / other)
    found = read_split(root, "test", "guitarset", options={"audio": audio})
    assert [recording.path.stem for recording in found] == [f"{NAMES[3]}_{audio}", f"{NAMES[2]}_{audio}"]


def columns(notes: list[tuple[float, float, float]]) -> dict:
    parts = [list(part) for part in zip(*notes, strict=True)] or [[], [], []]
    return {**dict(zip(("time", "duration", "value"), parts, strict=True)), "confidence": [None] * len(notes)}


@pytest.mark.parametrize("form", [observations, columns])
def test_notes_are_those_of_all_strings_rounded_to_semitones(root, form):
    content = jams()
    of_strings = [one for one in content["annotations"] if one["namespace"] == "note_midi"]
    for one, notes in zip(of_strings, STRINGS, strict=True):
        one["data"] = form(notes)
    add(root, NAMES[1], content)
    said: list[str] = []
    [recording] = read_split(root, "test", "guitarset", remarks=said, options={"test_player": 2})
    assert recording.notes[:, 2].tolist() == [pitch for _, _, pitch in NOTES]
    times = recording.notes[:, :2] / recording.sample_rate
    assert np.allclose(times, [note[:2] for note in NOTES], rtol=0, atol=1e-3)
    [line] = said  # the same note on two strings is counted once
    assert line.startswith("notes that repeat another, counted once: 1;") and "string 3" in line


def test_a_note_without_duration_is_left_out_and_counted(root):
    add(root, NAMES[1], jams([[(0.2, 0.0, 40.0), (0.3, 0.1, 41.0)], *STRINGS[1:]]))
    said: list[str] = []
    [recording] = read_split(root, "test", "guitarset", remarks=said, options={"test_player": 2})
    assert 40 not in recording.notes[:, 2] and 41 in recording.notes[:, 2]
    [line] = [line for line in said if "without duration" in line]
    assert f"{NAMES[1]}.jams: " in line and "string 0" in line and "note 40 at 0.200 s" in line


def test_labels_that_are_known_to_be_late_are_said(root):
    path = add(root, "04_Jazz1-200-B_comp")
    [line] = find_pairs(GuitarSet(root), "train")[1]
    assert isinstance(line, Remark) and line.startswith(f"{path}: known to be 0.309 s late, used all the same: ")
    assert find_pairs(GuitarSet(root), "test")[1] == []


def test_the_sentence_below_the_table(root):
    assert GuitarSet(root).remark() == (
        "GuitarSet, microphone: tested on player 5, trained on the others; labels: its notes of each string, pitches "
        "rounded to semitones."
    )
    said = GuitarSet(root, audio="mix", split="progression", test_progression=2).remark()
    assert said.startswith("GuitarSet, mix of the pickup: tested on progression 2, trained on the others;")


@pytest.mark.parametrize("keys", [{}, {"audio": "mix", "split": "progression"}])
def test_held_to_what_every_source_is(root, keys):
    testing.check_source(GuitarSet, root, **keys)


def test_its_keys_in_a_configuration(root):
    usual = make_config("data=guitarset", f"data.root={root}").data
    assert usual.options == {"audio": "mic", "split": "player", "test_player": 5, "test_progression": 3}
    mix = make_config("data=guitarset", f"data.root={root}", "data.audio=mix").data
    assert mix.options["audio"] == "mix" and fingerprinted(mix).fingerprint != fingerprinted(usual).fingerprint


# Faults: a line each, with the file, what is wrong and the remedy.


def move(old: str, new: str):
    def damage(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)

    return damage


JAMS, MIC = f"annotation/{NAMES[2]}.jams", f"audio_mono-mic/{NAMES[2]}_mic.wav"
FAULTS = {
    "no folder": (shutil.rmtree, "", "no such folder: correct data.root"),
    "no annotation": (
        lambda root: shutil.rmtree(root / "annotation"),
        "annotation",
        "no such folder: unpack annotation.zip into it or correct data.root and data.audio",
    ),
    "no audio folder": (
        lambda root: shutil.rmtree(root / "audio_mono-mic"),
        "audio_mono-mic",
        "no such folder: unpack audio_mono-mic.zip into it or correct data.root and data.audio",
    ),
    "empty": (
        lambda root: [path.unlink() for path in root.rglob("*.*")],
        "",
        "holds no recording: unpack annotation.zip and audio_mono-mic.zip there",
    ),
    "no JAMS": (
        lambda root: (root / JAMS).unlink(),
        MIC,
        f"no annotation/{NAMES[2]}.jams: unpack annotation.zip again or remove the audio",
    ),
    "no audio": (
        lambda root: (root / MIC).unlink(),
        JAMS,
        f"no audio_mono-mic/{NAMES[2]}_mic.wav: unpack audio_mono-mic.zip again or remove the annotation",
    ),
    "unknown player": (
        move(JAMS, "annotation/06_SS3-84-Bb_comp.jams"),
        "annotation/06_SS3-84-Bb_comp.jams",
        "not called <player 00 to 05>_<style><progression>-<tempo>-<key>_<comp or solo>.jams: rename it",
    ),
    "audio of six channels": (
        move(MIC, "audio_mono-mic/05_SS3-84-Bb_comp_hex.wav"),
        "audio_mono-mic/05_SS3-84-Bb_comp_hex.wav",
        "<comp or solo>_mic.wav: rename it or move it away",
    ),
    "audio without its ending": (
        move(MIC, f"audio_mono-mic/{NAMES[2]}.wav"),
        f"audio_mono-mic/{NAMES[2]}.wav",
        "<comp or solo>_mic.wav: rename it or move it away",
    ),
    "unpacked twice": (
        lambda root: shutil.copytree(root / "annotation", root / "annotation" / "annotation"),
        f"annotation/annotation/{NAMES[0]}.jams",
        f"same name as {NAMES[0]}.jams in ",
    ),
    "no test player": (
        lambda root: [path.unlink() for path in root.rglob("05_*")],
        "",
        "holds no player 5: unpack the rest or choose another data.test_player",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_folder_is_a_line(root, name):
    damage, file, words = FAULTS[name]
    damage(root)
    first, *_ = (line for line in find_pairs(GuitarSet(root), "test")[1] if not isinstance(line, Remark))
    assert first.startswith(f"{root / file}: ") and words in first and "\n" not in first


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"audio": "hex"}, "data.audio hex: is none of mic, mix: choose one"),
        ({"split": "players"}, "data.split players: is none of player, progression: choose one"),
        ({"test_player": 6}, "data.test_player 6: is none of 0, 1, 2, 3, 4, 5: choose one"),
        ({"test_progression": 0}, "data.test_progression 0: is none of 1, 2, 3: choose one"),
    ],
)
def test_wrong_keys_are_a_line(root, keys, line):
    assert find_pairs(GuitarSet(root, **keys), "test")[1] == [line]


def note(**values) -> dict:
    """A JAMS whose string 1 has a second note that is wrong."""
    second = {"time": 0.5, "duration": 0.1, "value": 45.0, "confidence": None} | values
    content = jams()
    [string] = [one for one in content["annotations"][2:4] if one["namespace"] == "note_midi"]
    string["data"].append(second)
    return content


WRONG = {
    "no JSON": ("{", "cannot be read as JAMS (JSONDecodeError, "),
    "other JSON": ([], "cannot be read as JAMS (TypeError, "),
    "no annotations": ({"file_metadata": {}}, "cannot be read as JAMS (KeyError, 'annotations'): unpack it again"),
    "no notes": (jams([[]] * 6), "has no notes, no annotation note_midi with data: unpack it again"),
    "only other annotations": (jams([]), "has no notes, no annotation note_midi with data: unpack it again"),
    "beyond MIDI": (note(value=127.6), "string 1, note 2: value 127.6 at 0.5 s: needs a MIDI note of 0..127"),
    "below MIDI": (note(value=-1), "string 1, note 2: value -1 at 0.5 s: needs a MIDI note of 0..127: correct it"),
    "no number": (note(value=None), "string 1, note 2: time, duration, value 0.5, 0.1, None: needs numbers: unpack"),
    "negative duration": (note(duration=-0.1), "string 1, note 2: time 0.5 s, duration -0.1 s: needs times from 0"),
    "no time": (note(time=float("nan")), "string 1, note 2: time nan s, duration 0.1 s: needs times from 0"),
    "beyond the audio": (note(time=100), "note 45 at 100.000 s is not within the recording's 1.000 s: correct or"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_jams_is_a_line(root, name):
    content, words = WRONG[name]
    (root / JAMS).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError) as error:
        read_split(root, "test", "guitarset")
    assert str(error.value).startswith(f"{root / JAMS}: ") and words in str(error.value)
