"""Folders in the shape of data sets that mirdata reads, and lists of their files; and what may be wrong with them."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import soundfile
from test_musicnet_labels import write_midi

# By name: split, and onset, offset, MIDI note and program of each note.
MAESTRO = {
    "2018/MIDI-a": ("train", [(0.25, 0.75, 60, 0), (0.5, 1.25, 64, 0)]),
    "2018/MIDI-b": ("train", [(0.1, 0.2, 21, 0)]),
    "2017/MIDI-c": ("validation", [(0.0, 1.0, 108, 0)]),
    "2017/MIDI-d": ("test", [(0.5, 0.6, 69, 0), (0.7, 0.8, 69, 0)]),
}
# By player and piece: notes of the strings, E first: onset and duration in s, MIDI note with its cents.
GUITARSET = {
    "00_BN1-129-Eb_comp": [[(0.5, 0.25, 40.31)], [], [(0.75, 0.5, 51.6)], [], [], [(0.25, 1.0, 64.02)]],
    "00_BN1-129-Eb_solo": [[], [(0.0, 0.5, 45.0)], [], [], [], []],
    "01_BN1-129-Eb_comp": [[], [], [], [(0.125, 0.5, 55.49)], [], []],
    "02_BN1-129-Eb_comp": [[], [], [], [], [(0.125, 0.5, 59.51)], []],
}


def copy_mirdata(site: Path) -> None:
    """Put a copy of the package where a test may write into its folder."""
    origin = Path(importlib.util.find_spec("mirdata").origin).parent
    shutil.copytree(origin, site / "mirdata", ignore=shutil.ignore_patterns("__pycache__"))


def write_index(site: Path, name: str, files: dict[str, dict[str, str | None]], version: str, **more) -> None:
    """Write mirdata's list of the files of a data set, by track and kind."""
    tracks = {id: {kind: [path, path and "0" * 32] for kind, path in kinds.items()} for id, kinds in files.items()}
    path = site / "mirdata" / "datasets" / "indexes" / f"{name}_index_{version}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"version": version, "tracks": tracks, **more}))


def write_audio(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 3 * 16_000), 16_000)


def write_maestro(root: Path, site: Path) -> None:
    rows = []
    for seed, (name, (split, notes)) in enumerate(MAESTRO.items()):
        write_audio(root / f"{name}.wav", seed)
        write_midi(root / f"{name}.midi", notes)
        rows.append({"midi_filename": f"{name}.midi", "audio_filename": f"{name}.wav", "split": split})
    (root / "maestro-v2.0.0.json").write_text(json.dumps(rows))
    write_index(site, "maestro", {name: {"midi": f"{name}.midi", "audio": f"{name}.wav"} for name in MAESTRO}, "2.0.0")


def write_guitarset(root: Path, site: Path) -> None:
    """With the microphone's recordings alone."""
    files = {}
    for seed, (name, strings) in enumerate(GUITARSET.items()):
        write_audio(root / "audio_mono-mic" / f"{name}_mic.wav", seed)
        found = [
            {
                "namespace": "note_midi",
                "annotation_metadata": {"data_source": str(number)},
                "data": [{"time": t, "duration": d, "value": v, "confidence": None} for t, d, v in notes],
            }
            for number, notes in enumerate(strings)
        ]
        (root / "annotation").mkdir(exist_ok=True)
        (root / "annotation" / f"{name}.jams").write_text(json.dumps({"annotations": found}))
        files[name] = {
            "jams": f"annotation/{name}.jams",
            "audio_hex": f"audio_hex-pickup_original/{name}_hex.wav",
            "audio_hex_cln": f"audio_hex-pickup_debleeded/{name}_hex_cln.wav",
            "audio_mic": f"audio_mono-mic/{name}_mic.wav",
            "audio_mix": f"audio_mono-pickup_mix/{name}_mix.wav",
        }
    write_index(site, "guitarset", files, "1.1.0")


def write_choir(root: Path, site: Path) -> None:
    """Dagstuhl ChoirSet: three takes, each of two singers, who sing MIDI 48 and 60 and more of the take's number."""
    kinds = ["audio_dyn", "audio_hsm", "audio_lrx", "f0_manual_lrx"]
    kinds += [f"f0_{by}_{at}" for by in ("crepe", "pyin") for at in ("dyn", "hsm", "lrx")]
    rooms = [f"audio_{at}" for at in ("str", "stl", "rev", "spl", "spr")]
    files, mixes = {}, {}
    for take in range(3):
        (root / "annotations").mkdir(parents=True, exist_ok=True)
        for singer, pitch in (("B1", 48), ("S1", 60)):
            score = f"annotations/take{take}_{singer}.csv"
            (root / score).write_text(f"0.5,1.25,{pitch + take}\n")
            files[f"take{take}_{singer}"] = {**dict.fromkeys(kinds), "score": score}
        mix = f"audio/take{take}_STM.wav"
        write_audio(root / mix, take)
        paths = {**dict.fromkeys([*rooms, "beat"]), "audio_stm": mix}
        mixes[f"take{take}"] = {kind: [path, None] for kind, path in paths.items()}
        mixes[f"take{take}"]["tracks"] = [f"take{take}_B1", f"take{take}_S1"]
    write_index(site, "dagstuhl_choirset", files, "1.2.3", multitracks=mixes)


def write_medleydb(root: Path, site: Path) -> None:
    """MedleyDB-Pitch: stems of three artists; pYIN hears notes in two of them."""
    for number, id in enumerate("abc"):
        write_audio(root / f"{id}.wav", number)
        (root / f"{id}.csv").write_text("0.5,0.25,440.0\n" if number else "")
    about = {id: {"artist": f"artist {id}", "instrument": "flute", "title": id, "genre": "Jazz"} for id in "abc"}
    (root / "medleydb_pitch_metadata.json").write_text(json.dumps(about))
    files = {id: {"audio": f"{id}.wav", "notes_pyin": f"{id}.csv", "pitch": None} for id in "abc"}
    write_index(site, "medleydb_pitch", files, "3.0")


def write_vocadito(root: Path, site: Path) -> None:
    """Two singers, of whom one sings twice; the second annotator hears another pitch in the first recording."""
    for number in (1, 2, 3):
        write_audio(root / "Audio" / f"vocadito_{number}.wav", number)
        for annotator, frequency in (("A1", 441.9), ("A2", 466.0 * number)):
            path = root / "Annotations" / "Notes" / f"vocadito_{number}_notes{annotator}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"0.5,{frequency},0.25\n1.0,220.0,0.5\n")
    rows = ["track_id,singer_id,average_pitch,language", "1,ada,60,en", "2,ada,60,en", "3,bo,60,en"]
    (root / "vocadito_metadata.csv").write_text("\n".join(rows))
    notes = {f"notes{one}": f"Annotations/Notes/vocadito_{{}}_notes{one}.csv" for one in ("A1", "A2")}
    files = {"audio": "Audio/vocadito_{}.wav", "f0": None, "lyrics": None, **notes}
    write_index(
        site, "vocadito", {id: {kind: path and path.format(id) for kind, path in files.items()} for id in "123"}, "1.0"
    )


def one_player(root: Path) -> None:
    path = next(root.parent.glob("site/mirdata/datasets/indexes/guitarset*"))
    index = json.loads(path.read_text())
    index["tracks"] = {id: files for id, files in index["tracks"].items() if id.startswith("00")}
    path.write_text(json.dumps(index))


def no_index(root: Path) -> None:
    shutil.rmtree(root.parent / "site" / "mirdata" / "datasets" / "indexes")


def damaged(root: Path) -> None:
    for path in root.glob("annotation/*.jams"):
        path.write_text('{"annotations": [')


FAULTS = {
    "no name": (
        None,
        {"dataset": None},
        r"data\.dataset null: is no data set of mirdata: those with notes are cante.*",
    ),
    "another name": (None, {"dataset": "urmp"}, r"data\.dataset urmp: is no data set of mirdata: those with notes .*"),
    "no such folder": (shutil.rmtree, {}, r".*/guitarset: no such folder: correct data\.root"),
    "no such version": (None, {"version": "9"}, r"data\.dataset guitarset, data\.version 9: Invalid version 9\. .*"),
    "no index": (
        no_index,
        {},
        r".*/guitarset_index_1\.1\.0\.json: mirdata's list of the files of guitarset is missing: fetch it by python -c "
        r"\"import mirdata; mirdata\.initialize\('guitarset', data_home='.*/guitarset', version='default'\)"
        r"\.download\(\['index'\]\)\"",
    ),
    "no such notes": (
        None,
        {"notes": "jams"},
        r"data\.notes jams: tracks of guitarset have notes_all, notes: choose .*",
    ),
    "no such audio": (None, {"audio": "audio"}, r"data\.audio audio: tracks of guitarset have audio_mic_path, .*"),
    "no part": (None, {"held_out": 0}, r"data\.held_out 0: needs a share above 0 and below 1: correct it"),
    "one player": (one_player, {}, r"data\.group: all tracks share 00: choose another, or none to split by track"),
    "damaged": (damaged, {}, r".*\.jams: mirdata cannot read its notes_all \(Expecting value.*\): fetch .*"),
    "no mixes": (None, {"multitracks": True}, r".*\.json: no mixes of it \(.*\): choose another data\.dataset"),
}
