"""Scores on other sets: those of the same weights tested there at home, at any rate; nothing of them is trained on."""

import dataclasses
import gc
import json
import weakref
from pathlib import Path

import pytest
import torch
from configs import changed, run_alone
from other_sets import GROUPS, RATE, copy_of, make_home, make_other
from rich.console import Console
from short_training import converged_config, die_after, segment_config, weights

import sweep
from sweep.commands.parser import main
from sweep.config import RunConfig
from sweep.report import read_report
from sweep.results.result import read_result
from sweep.training.elsewhere import load_elsewhere
from sweep.training.loading import UnreadableError, load
from sweep.transcribe.trained import load_transcriber

QUIET, CPU = Console(quiet=True), torch.device("cpu")


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    return make_other(tmp_path_factory.mktemp("other") / "other")


@pytest.fixture(scope="module")
def home(tmp_path_factory, small_set) -> Path:
    return make_home(tmp_path_factory.mktemp("home") / "home", small_set)


@pytest.fixture(scope="module")
def both(tmp_path_factory, small_set, other) -> Path:
    """The training recordings of `home` and the test recordings of `other`."""
    return make_home(tmp_path_factory.mktemp("both") / "both", small_set, other)


def set_of(root: Path, **keys) -> dict:
    return {root.name: {"source": "folder", "root": str(root), "shift": 0.0, "fingerprint": None, **keys}}


def config_of(root: Path, runs: Path, kind: str, **keys) -> RunConfig:
    make = segment_config if kind == "segments" else converged_config
    at_16k = {"representation__sample_rate": 16_000} if kind == "16 kHz" else {}
    return make(root, runs, data__source="folder", threshold="tuned", **at_16k, **keys)


def as_json(config: RunConfig) -> dict:
    return json.loads((config.folder / "result.json").read_text())


@pytest.mark.parametrize("kind", ["windows", "16 kHz", "segments"])
def test_scores_elsewhere_are_those_of_the_same_weights_tested_there(kind, home, other, both, tmp_path):
    """Training recordings, seed and held-out recordings are the same, so the weights and thresholds are, too."""
    across = config_of(home, tmp_path / "across", kind, data__test=set_of(other))
    there = config_of(both, tmp_path / "there", kind)
    run_alone(across)
    run_alone(there)
    assert all((one == weights(there)[name]).all() for name, one in weights(across).items())
    found, expected = as_json(across), as_json(there)
    assert found["elsewhere"] == {"other": {key: expected[key] for key in ("scores", "recordings", "labels")}}
    assert found["threshold"] == expected["threshold"]
    assert {id: scores["group"] for id, scores in expected["recordings"].items()} == GROUPS
    assert expected["scores"]["note_f1"] is not None and expected["scores"]["average_precision"] > 0
    assert found["scores"] != expected["scores"] and set(found["recordings"]) == {"2001", "2002"}
    assert read_result(across.folder).elsewhere == found["elsewhere"]


def test_nothing_else_changes_and_without_other_sets_there_is_nothing(home, other, small_set, tmp_path):
    """Another set with the test recordings of home, in MusicNet's layout, has the scores at home."""
    same = {"same": {"source": "musicnet", "root": str(small_set), "shift": 0.0, "fingerprint": None}}
    with_other = config_of(home, tmp_path / "with", "windows", data__test=set_of(other) | same)
    without = config_of(home, tmp_path / "without", "windows")
    run_alone(with_other)
    run_alone(without)
    one, two = as_json(with_other), as_json(without)
    assert two["elsewhere"] == {} and two["config"]["data"]["test"] == {}
    for key in ("scores", "recordings", "threshold"):
        assert one[key] == two[key]
    assert one["elsewhere"]["same"] == {
        **{key: two[key] for key in ("scores", "recordings")},
        "labels": "Labels as in the CSV: MusicNet's are a score's notes aligned to the recording, without the pedal.",
    }
    assert one["labels"] == "Labels as in the CSV; MIDI from key down to key up, the pedal is not followed."


def test_a_resumed_run_scores_elsewhere_as_one_that_ran_through(home, other, tmp_path, monkeypatch):
    whole, cut = (
        config_of(home, tmp_path / name, "windows", data__test=set_of(other), data__placement=place)
        for name, place in (("whole", "int16"), ("cut", "auto"))
    )
    run_alone(whole)
    die_after(2, cut, monkeypatch)
    assert run_alone(cut).resumed_from
    assert as_json(cut)["elsewhere"] == as_json(whole)["elsewhere"]


def test_labels_are_moved_by_the_sets_own_shift(home, other, tmp_path):
    """By 0.02 s, as by 320 samples in the labels at 16 kHz."""
    moved = make_other(tmp_path / "moved", later=320)
    late = make_other(tmp_path / "late", later=-320 + 640)
    sets = {**set_of(other, shift=0.02), **set_of(moved), **set_of(late, shift=-0.02)}
    config = config_of(home, tmp_path, "windows", data__test=sets).data
    loaded = load(config, 44_100, CPU, QUIET)
    found = load_elsewhere(config, loaded, QUIET)
    for shifted, by_hand in zip(found["other"].notes, found["moved"].notes, strict=True):
        assert (shifted == by_hand).all() and len(shifted) > 10
    unmoved = load_elsewhere(dataclasses.replace(config, test=config.test[1:2]), loaded, QUIET)["moved"]
    assert (found["late"].notes[0][:, :2] == unmoved.notes[0][:, :2] - 882).all()


def test_a_shift_beyond_the_recording_cuts_and_leaves_out(home, other, tmp_path):
    config = config_of(home, tmp_path, "windows", data__test=set_of(other, shift=3.0)).data
    found = load_elsewhere(config, load(config, 44_100, CPU, QUIET), QUIET)["other"]
    for notes, length in zip(found.notes, found.lengths.tolist(), strict=True):
        assert 0 < len(notes) <= 4 and (notes[:, 0] >= 3 * 44_100).all() and (notes[:, 1] <= length).all()


def test_a_set_stays_for_the_runs_that_follow(home, other, tmp_path):
    config = config_of(home, tmp_path, "windows", data__test=set_of(other)).data
    at = {rate: load_elsewhere(config, load(config, rate, CPU, QUIET), QUIET)["other"] for rate in (44_100, RATE)}
    assert load_elsewhere(config, load(config, 44_100, CPU, QUIET), QUIET)["other"] is at[44_100]
    assert at[RATE].sounding is at[44_100].sounding and at[RATE].sample_rate == RATE
    kept = [weakref.ref(at.pop(rate)) for rate in (44_100, RATE)]
    without = dataclasses.replace(config, test=())
    assert load_elsewhere(without, load(without, 44_100, CPU, QUIET), QUIET) == {}
    gc.collect()
    assert [one() for one in kept] == [None, None]  # their memory is free


@pytest.mark.parametrize("rate", [44_100, 16_000])
@pytest.mark.parametrize("place", [0, 1])  # of three recordings the middle one is held out
def test_a_recording_that_is_trained_on_or_held_out_is_refused(place, rate, home, tmp_path):
    trained = sorted(home.glob("1*.wav"))[place]
    copied = copy_of(trained, tmp_path / "shared/test/copy.flac")
    config = config_of(home, tmp_path, "windows", data__test=set_of(tmp_path / "shared")).data
    loaded = load(config, rate, CPU, QUIET)
    assert trained in (loaded.held_out if place else loaded.train).paths
    with pytest.raises(UnreadableError) as caught:
        load_elsewhere(config, loaded, QUIET)
    assert str(caught.value).startswith(f"data.test shared: {copied}: the same audio as {trained}: ")


def test_a_test_recording_of_both_sets_is_no_error(home, tmp_path):
    copy_of(home / "2001.wav", tmp_path / "shared/test/copy.flac")
    config = config_of(home, tmp_path, "windows", data__test=set_of(tmp_path / "shared")).data
    assert load_elsewhere(config, load(config, 44_100, CPU, QUIET), QUIET)["shared"].ids == ["copy"]


def test_what_is_too_short_or_missing_is_said_as_at_home(home, tmp_path):
    short = make_other(tmp_path / "short", seconds=2)
    config = config_of(home, tmp_path / "runs", "windows", data__test=set_of(short))
    with pytest.raises(
        ValueError, match=r"short/p\.flac: 88200 samples, scoring windows of 16384 needs at least 109636"
    ):
        run_alone(config)
    (short / "q.csv").unlink()
    config = changed(config, data__test=set_of(short, fingerprint="another"))
    with pytest.raises(UnreadableError, match=r"short/q\.flac"):
        run_alone(config)


# The command


KEYS = {"data": "folder", "data__cache": None, "protocol__scored_windows": 30, "device": "cpu", "workers": 0}
KEYS |= {"protocol__steps": 3, "protocol__checkpoint_every": 3, "protocol__validation": 0, "console": QUIET}


def test_a_sweep_takes_the_fingerprint_and_refuses_another_set(home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_other(tmp_path / "2024")  # a folder whose name is a number to Hydra
    keys = {**KEYS, "data__root": home, "data__test": "2024"}
    report = sweep.compare(["mel-512-128"], **keys)
    (result,) = report.runs.results.values()
    (one,) = RunConfig.from_tree(result.config).data.test
    assert one.name == "2024" and len(one.fingerprint) == 16
    assert set(result.elsewhere) == {"2024"} and set(result.elsewhere["2024"]["recordings"]) == set(GROUPS)
    assert "Acc on 2024" in report.cells() and "note F1 on 2024" in report.cells()
    words = ["data=folder", f"data.root={home}", "data.test=2024", "representation=mel-512-128", "data.cache=null"]
    words += ["protocol.steps=3", "protocol.scored_windows=30", "protocol.validation=0"]
    assert main(["plan", *words]) == 0 and "done" in capsys.readouterr().out
    (run,) = (path.parent for path in (tmp_path / "runs").rglob("result.json"))
    assert load_transcriber(run, "cpu")[2] == result  # which needs none of the data
    before = (run / "result.json").stat().st_mtime_ns
    sweep.compare(["mel-512-128"], **keys)
    assert (run / "result.json").stat().st_mtime_ns == before  # done before

    (tmp_path / "2024/q.csv").write_text("start_time,end_time,note\n0,9,60\n")
    with pytest.raises(ValueError, match=r"was made with another configuration, data\.test\.2024\.fingerprint: "):
        sweep.compare(["mel-512-128"], **keys)
    make_other(tmp_path / "third")
    with pytest.raises(ValueError, match=r"two runs of this sweep would share .*data\.test\.third\.source: "):
        sweep.compare(["mel-512-128"], **{**keys, "data__test": ["2024", "third"]})
    (tmp_path / "2024/q.csv").unlink()
    with pytest.raises(ValueError, match=r"2024/q\.flac: no labels"):
        sweep.compare(["mel-512-128"], **keys)
    with pytest.raises(
        ValueError, match=r"data\.test\.gone\.root gone: no such folder; correct data\.test\.gone\.root"
    ):
        sweep.compare(["mel-512-128"], **{**keys, "data__test": "./gone"})


@pytest.mark.long
def test_pictures_of_what_a_run_keeps_of_its_own_set_alone(home, other, tmp_path):
    config = config_of(home, tmp_path, "windows", data__test=set_of(other))
    run_alone(config)
    own = {"Accuracy by polyphony", "Accuracy by pitch", "mel-512-128+threshold=tuned"}
    for on in (None, "other"):
        overview, rows, _ = read_report(config.table, on=on).drawn
        titles = {picture.title for picture in (*overview, *rows)}
        assert titles & own == (own if on is None else set()) and "Score of each recording" in titles
