"""Data sets that mirdata reads: folders in their shape, and lists of their files where mirdata's download puts them."""

import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from configs import make_config
from conftest import ROOT
from mirdata_sets import (
    FAULTS,
    GUITARSET,
    MAESTRO,
    copy_mirdata,
    damaged,
    no_index,
    write_audio,
    write_choir,
    write_guitarset,
    write_index,
    write_maestro,
    write_medleydb,
    write_vocadito,
)

from sweep.commands import parser
from sweep.data.reading import find_pairs, read, read_split
from sweep.data.recording import DataError, Remark
from sweep.data.sources.mirdata import Mirdata
from sweep.scheduling.plan import fingerprinted
from sweep.testing import check_source

RATE = 44100
needs_mirdata = pytest.mark.skipif(importlib.util.find_spec("mirdata") is None, reason="mirdata is not installed")


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """A folder from which a mirdata is imported whose lists of files the test writes."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "mirdata"]:
            del sys.modules[name]

    copy_mirdata(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    forget()
    yield tmp_path / "site"
    forget()


@pytest.fixture
def maestro(tmp_path, site) -> Path:
    write_maestro(tmp_path / "maestro", site)
    return tmp_path / "maestro"


@pytest.fixture
def guitarset(tmp_path, site) -> Path:
    write_guitarset(tmp_path / "guitarset", site)
    return tmp_path / "guitarset"


def as_mirdata_has_them(name: str, root: Path, id: str, attribute: str) -> list[list[float]]:
    import mirdata

    notes = getattr(mirdata.initialize(name, data_home=str(root)).track(id), attribute)
    pitches = 69 + 12 * np.log2(notes.pitches / 440) if notes.pitch_unit == "hz" else notes.pitches
    return sorted([*times, round(pitch)] for times, pitch in zip(notes.intervals.tolist(), pitches, strict=True))


def seconds(notes: np.ndarray) -> np.ndarray:
    return notes[np.lexsort(notes.T[[2, 1, 0]])] / (RATE, RATE, 1)


@needs_mirdata
def test_maestro_with_its_split(maestro):
    source = Mirdata(maestro, dataset="maestro")
    assert source.splits == ("train", "validation", "test")
    assert source.remark() == (
        "Labels: notes of mirdata's maestro 2.0.0, without a pedal; audio: audio_path; test part: the data set's own."
    )
    for split in ("train", "validation", "test"):
        part = read_split(maestro, split, "mirdata", options={"dataset": "maestro"})
        assert {recording.id for recording in part} == {name for name, (its, _) in MAESTRO.items() if its == split}
        for recording in part:
            found = seconds(recording.notes)
            assert np.allclose(found, sorted(note[:3] for note in MAESTRO[recording.id][1]), atol=0.001)
            assert np.allclose(found, as_mirdata_has_them("maestro", maestro, recording.id, "notes"), atol=0.001)
            assert recording.group == ""
    check_source(Mirdata, maestro, dataset="maestro")


@needs_mirdata
def test_guitarset_by_player(guitarset):
    splits, remarks = read(guitarset, "mirdata", options={"dataset": "guitarset", "held_out": 0.25})
    assert not remarks
    found = {recording.id: recording for part in splits.values() for recording in part}
    assert found.keys() == GUITARSET.keys()
    for id, strings in GUITARSET.items():
        expected = [(t, t + d, round(v)) for notes in strings for t, d, v in notes]
        assert np.allclose(seconds(found[id].notes), sorted(expected), atol=0.001), id
        assert np.allclose(
            seconds(found[id].notes), as_mirdata_has_them("guitarset", guitarset, id, "notes_all"), atol=0.001
        )
        assert found[id].group == id[:2] and found[id].path.name == f"{id}_mic.wav"
    test = {recording.group for recording in splits["test"]}
    assert test and not test & {recording.group for recording in splits["train"]}
    source = Mirdata(guitarset, dataset="guitarset", held_out=0.25)
    assert source.splits == ("train", "test")
    assert source.remark() == (
        "Labels: notes_all of mirdata's guitarset 1.1.0, without a pedal; audio: audio_mic_path; "
        f"test part: {len(splits['test'])} of 4 tracks, by a hash of the groups (player_id)."
    )
    check_source(Mirdata, guitarset, dataset="guitarset")


@needs_mirdata
def test_notes_audio_and_group_are_chosen_by_their_attributes(guitarset):
    for name in GUITARSET:
        write_audio(guitarset / "audio_mono-pickup_mix" / f"{name}_mix.wav", 9)
    keys = {"dataset": "guitarset", "notes": "notes", "audio": "audio_mix_path", "group": "mode"}
    with pytest.raises(DataError, match=r"^data\.group mode: tracks of guitarset have player_id, none: choose one$"):
        read(guitarset, "mirdata", options=keys)
    source = Mirdata(guitarset, **{**keys, "group": "none", "held_out": 0.5})
    pairs = {split: find_pairs(source, split)[0] for split in ("train", "test")}
    assert [len(pairs["train"]), len(pairs["test"])] == [2, 2]
    assert all(pair.group == "" and pair.audio.name.endswith("_mix.wav") for part in pairs.values() for pair in part)
    [pair] = [pair for part in pairs.values() for pair in part if pair.id == "00_BN1-129-Eb_comp"]
    assert np.allclose(source.notes(pair.labels), [(0.25, 1.25, 64), (0.5, 0.75, 40), (0.75, 1.25, 52)])
    shutil.rmtree(guitarset / "audio_mono-mic")  # the mix alone is there, and is found
    assert "audio: audio_mix_path" in Mirdata(guitarset, dataset="guitarset").remark()


@needs_mirdata
def test_pitches_in_hertz_and_two_annotators(tmp_path, site):
    root = tmp_path / "vocadito"
    write_vocadito(root, site)
    for attribute, pitches in ((None, [69, 57]), ("notes_a2", [70, 57])):
        splits, _ = read(root, "mirdata", options={"dataset": "vocadito", "notes": attribute})
        found = {recording.id: recording for part in splits.values() for recording in part}
        assert np.allclose(seconds(found["1"].notes), [(0.5, 0.75, pitches[0]), (1, 1.5, pitches[1])], atol=0.001)
        for id, group in (("1", "ada"), ("2", "ada"), ("3", "bo")):
            expected = as_mirdata_has_them("vocadito", root, id, attribute or "notes_a1")
            assert np.allclose(seconds(found[id].notes), expected, atol=0.001) and found[id].group == group


@needs_mirdata
def test_mixes_have_the_notes_of_their_stems(tmp_path, site):
    root, keys = tmp_path / "choir", {"dataset": "dagstuhl_choirset", "multitracks": True}
    write_choir(root, site)
    found = {recording.id: recording for part in read(root, "mirdata", options=keys)[0].values() for recording in part}
    for take in range(3):
        expected = [(0.5, 1.25, 48 + take), (0.5, 1.25, 60 + take)]
        assert np.allclose(seconds(found[f"take{take}"].notes), expected, atol=0.001)
    before = Mirdata(root, **keys).fingerprint()
    (root / "annotations" / "take0_S1.csv").write_text("0.5,1.255,60\n")
    assert Mirdata(root, **keys).fingerprint() != before


@needs_mirdata
def test_tracks_without_notes_or_audio_are_counted(tmp_path, site):
    root, prints = tmp_path / "medleydb", []
    write_medleydb(root, site)
    for what, attribute, lacking in (("notes", "notes_pyin", "a"), ("audio", "audio_path", "b")):
        source = Mirdata(root, dataset="medleydb_pitch")
        found = [source.find(split) for split in ("train", "test")]
        assert {pair.id for pairs, _ in found for pair in pairs} == {"a", "b", "c"} - {lacking}
        (said,) = [line for _, lines in found for line in lines if isinstance(line, Remark)]
        count = rf"1 of [12] \w+ tracks have no {what} \({attribute}\), left out; the first: {lacking}"
        assert re.fullmatch(f"{root}: {count}", said)
        prints.append(source.fingerprint())
        (root / "a.csv").write_text("0.5,0.25,440.0\n")
        (root / "b.wav").unlink(missing_ok=True)
    assert prints[0] != prints[1]


@needs_mirdata
def test_notes_are_read_when_they_are_asked_for(guitarset):
    damaged(guitarset)
    source = Mirdata(guitarset, dataset="guitarset")
    found = [source.find(split) for split in ("train", "test")]
    assert sum(len(pairs) for pairs, _ in found) == 4 and not any(lines for _, lines in found)
    pair = found[0][0][0]
    for asked in (source, Mirdata(guitarset, dataset="guitarset")):
        with pytest.raises(DataError, match=rf"^{pair.labels}: mirdata cannot read its notes_all"):
            asked.notes(pair.labels)


@needs_mirdata
def test_a_planned_validation_on_the_own_part_needs_one(maestro, guitarset):
    for name, root in (("maestro", maestro), ("guitarset", guitarset)):
        words = ["data=mirdata", f"data.root={root}", f"data.dataset={name}", "data.validation=own"]
        data = make_config(*words).data
        if name == "maestro":
            assert fingerprinted(data).fingerprint
            continue
        line = "data.validation own: data.source mirdata holds out no recordings; choose a share"
        with pytest.raises(ValueError, match=f"^{line}$"):
            fingerprinted(data)


@needs_mirdata
@pytest.mark.parametrize("change, keys, line", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_one_line(guitarset, change, keys, line):
    if change:
        change(guitarset)
    with pytest.raises(DataError, match=f"^{line}$"):
        read(guitarset, "mirdata", options={"dataset": "guitarset", **keys})


@needs_mirdata
def test_a_data_set_without_notes_and_one_without_its_metadata(maestro, site):
    write_index(site, "tinysol", {"a": {"audio": "a.wav"}}, "6.0")
    with pytest.raises(
        DataError, match=r"^data\.dataset tinysol: its tracks have no notes: mirdata has some for cante.*"
    ):
        read(maestro, "mirdata", options={"dataset": "tinysol"})
    with pytest.raises(
        DataError, match=r"^.*\.midi: its midi is no list of notes with times \(PrettyMIDI\): choose .*$"
    ):
        read(maestro, "mirdata", options={"dataset": "maestro", "notes": "midi"})
    (maestro / "maestro-v2.0.0.json").unlink()
    with pytest.raises(DataError, match=r"^.*/maestro: mirdata cannot read maestro \(Metadata not found\. .*\)$"):
        read(maestro, "mirdata", options={"dataset": "maestro"})


@needs_mirdata
def test_sweep_data_reads_it_and_says_what_is_missing(maestro, capsys):
    command = ["data", "--source", "mirdata", str(maestro), "data.dataset=maestro"]
    assert parser.main(command) == 0
    assert "read as data=mirdata data.dataset=maestro" in " ".join(capsys.readouterr().out.split())
    no_index(maestro)
    assert parser.main(command) == 1
    assert "1 problem: " in " ".join(capsys.readouterr().out.split())


@needs_mirdata
def test_mirdata_does_not_change_how_the_program_logs(maestro, caplog):
    before = list(logging.root.handlers), logging.root.level, logging.root.manager.disable
    read(maestro, "mirdata", options={"dataset": "maestro"})
    assert (list(logging.root.handlers), logging.root.level, logging.root.manager.disable) == before
    assert not caplog.records  # mirdata warns of the unit of each track's notes


def test_without_mirdata_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mirdata", None)
    source = Mirdata(tmp_path, dataset="maestro")
    line = "data=mirdata: the package mirdata is missing: pip install 'spectrogram-sweep[mirdata]'"
    assert source.find("train") == ([], [line])
    assert source.files() == [] and source.remark() == "Labels: those of mirdata's maestro."


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("mirdata") is not None, reason="the tests above have mirdata")
def test_the_tests_above_in_an_environment_that_has_mirdata(tmp_path):
    """With those of its packages that are imported here; all of them do not go with constraints.txt."""
    venv.create(tmp_path / "env")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    python = tmp_path / "env" / "bin" / "python"
    packages = ["mirdata==1.0.0", "smart_open", "wrapt", "chardet", "Deprecated"]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--retries=0", *packages]
    fetched = subprocess.run(pip, capture_output=True, text=True, timeout=120)
    if fetched.returncode:
        pytest.skip(f"mirdata cannot be fetched: {fetched.stderr.strip().splitlines()[-1]}")
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not long", __file__]
    outside = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0 and "skipped" not in ran.stdout, ran.stdout + ran.stderr
