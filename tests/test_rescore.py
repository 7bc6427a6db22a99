"""Runs scored anew: by their own choices as they were, and by others as mir_eval does, written out here."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile
from configs import run_alone, short_config
from rich.console import Console
from test_segment_runs import learning
from tones import make_tones

from sweep.config import RunConfig
from sweep.data.sources.musicnet import MusicNet
from sweep.registry import sources
from sweep.rescoring.choices import check_choices, read_choices
from sweep.rescoring.rescore import Rescored, rescore
from sweep.rescoring.scores import accuracy, sounding
from sweep.results.result import Result
from sweep.results.table import read_runs

IDS = ("2001", "2002")
SAMPLES = 220_500
# A recording of 5 s is scored at 182 instants, 612 samples apart, from sample 52,292 on.
INSTANTS = 44_100 + 8192 + 612 * np.arange(182)
METRICS = ["accuracy", "note_f1", "note_offset_f1"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_tones(root)
    return root


def windows(root: Path, runs: Path, **keys) -> RunConfig:
    """A run of the linear model that learns the tones in 2 s."""
    sizes = {"steps": 100, "learning_rate": 1e-2, "note_step": 1024, "scored_windows": 182}
    sizes = {f"protocol__{key}": value for key, value in sizes.items()}
    return short_config(root, runs, "mel-1024-128", **sizes | {"keep_probabilities": True} | keys)


@pytest.fixture(scope="module")
def run(root, tmp_path_factory) -> tuple[RunConfig, Result]:
    config = windows(root, tmp_path_factory.mktemp("linear") / "runs")
    return config, run_alone(config)


@pytest.fixture(scope="module")
def segmental(root, tmp_path_factory) -> tuple[RunConfig, Result]:
    config = learning(root, tmp_path_factory.mktemp("conv") / "runs", keep_probabilities=True)
    return config, run_alone(config)


def scored(config: RunConfig, *words: str, root: Path | None = None) -> Rescored:
    return rescore(config.table, read_runs(config.table), read_choices(words), Console(quiet=True), root)


def scores(found: Rescored, choice: str, value: str = "") -> list[float]:
    """The three scores of the only run."""
    table = found.table[(found.table.choice == choice) & (found.table.value == value)]
    assert list(table.metric) == METRICS
    return list(table.score)


def expected(
    config: RunConfig,
    labels: Path,
    *,
    shift: int = 0,
    threshold: float = 0.4,
    tolerance: float = 0.05,
    step: int = 1024,
    instants: np.ndarray = INSTANTS,
    ids: Sequence[str] = IDS,
) -> list[float]:
    """The three scores of a linear model by mir_eval, from the file that the run kept and the label files."""
    found = []
    with np.load(config.folder / "probabilities.npz") as file:
        for name in ids:
            rows = csv.DictReader((labels / f"{name}.csv").open())
            reference = np.array([[int(row[key]) for key in ("start_time", "end_time", "note")] for row in rows])
            reference[:, :2] = np.clip(reference[:, :2] + shift, 0, SAMPLES)
            heard = file[f"frames/{name}"] / 255 > threshold
            at = np.rint(instants / 512).astype(int)
            sounds = [np.unique(reference[(t >= reference[:, 0]) & (t < reference[:, 1]), 2]) for t in instants]
            sides = [
                [440 * 2 ** ((pitches - 69) / 12) for pitches in side]
                for side in (sounds, [21 + np.flatnonzero(heard[:, place]) for place in at])
            ]
            by_frame = mir_eval.multipitch.evaluate(instants / 44_100, sides[0], instants / 44_100, sides[1])
            estimate = notes_of(heard[:, :: step // 512], step / 44_100)
            seconds = reference / [44_100, 44_100, 1]
            offsets = mir_eval.transcription.precision_recall_f1_overlap(
                *pairs(seconds), *pairs(estimate), onset_tolerance=tolerance
            )
            onsets = mir_eval.transcription.precision_recall_f1_overlap(
                *pairs(seconds), *pairs(estimate), onset_tolerance=tolerance, offset_ratio=None
            )
            found.append([by_frame["Accuracy"], onsets[2], offsets[2]])
    return np.mean(found, axis=0).tolist()


def pairs(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return notes[:, :2], 440 * 2 ** ((notes[:, 2] - 69) / 12)


def notes_of(heard: np.ndarray, hop: float) -> np.ndarray:
    """(notes, 3) onset, offset in s and pitch, by rules 1 to 4 of `sweep.results.notes`, from (88, frames) bool."""
    notes = []
    for pitch, row in enumerate(heard, 21):
        stretches: list[list[int]] = []
        for frame in np.flatnonzero(row).tolist():
            if stretches and (frame - stretches[-1][1]) * hop <= 0.05:
                stretches[-1][1] = frame + 1
            else:
                stretches.append([frame, frame + 1])
        notes += [((a - 0.5) * hop, (b - 0.5) * hop, pitch) for a, b in stretches if (b - a) * hop >= 0.05]
    return np.clip(notes, [0, 0, 0], [np.inf, SAMPLES / 44_100, 127])


def test_a_model_of_segments_scores_as_it_did(segmental):
    """Its frames are at the kept instants; a probability differs by 1/255 at most, and not at its threshold."""
    config, result = segmental
    found = scored(config)
    assert scores(found, "baseline") == pytest.approx([result.scores[name] for name in METRICS], abs=1e-12)
    assert scores(found, "result.json") == [result.scores[name] for name in METRICS]
    assert min(scores(found, "baseline")) > 0.5 and not found.remarks


def test_a_model_of_windows_scores_nearly_as_it_did(run):
    """Notes are formed from the same frames; the scored ones are up to 6 ms away: 0.011 measured, of 364 frames."""
    config, result = run
    found = scores(scored(config), "baseline")
    assert found[1:] == pytest.approx([result.scores[name] for name in METRICS[1:]], abs=1e-12)
    assert found[0] == pytest.approx(result.scores["accuracy"], abs=0.02) and found[0] > 0.5


CHOICES = {
    "baseline=": {},
    "data.shift=0.03": {"shift": 1323},
    "data.shift=-0.03": {"shift": -1323},
    "threshold=0.6": {"threshold": 0.6},
    "tolerance=0.1": {"tolerance": 0.1},
    # Multiples of 2,048 from 52,292 to the last instant, 163,064.
    "frame_step=2048": {"step": 2048, "instants": 2048 * np.arange(26, 80)},
}


def test_each_choice_scores_as_mir_eval_does(run, root):
    config, _ = run
    found = scored(config, *list(CHOICES)[1:])
    actual = {word: scores(found, *word.split("=")) for word in CHOICES}
    for word, how in CHOICES.items():
        assert actual[word] == pytest.approx(expected(config, root / "test_labels", **how), abs=1e-9), word
    assert len({tuple(values) for values in actual.values()}) == len(CHOICES)  # each moves something
    assert found.titles["data.shift", "-0.03"] == "data.shift 0 → -0.03"
    assert found.titles["threshold", "0.6"] == "threshold 0.4 → 0.6"
    assert found.titles["tolerance", "0.1"] == "tolerance 0.05 → 0.1"
    assert found.titles["frame_step", "2048"] == "frame_step own → 2048"


def test_moved_is_the_difference_to_the_runs_own_choices(run):
    config, result = run
    table = scored(config, "threshold=0.6").table.set_index(["choice", "metric"])
    for name in METRICS:
        base, other = table.score["baseline", name], table.score["threshold", name]
        assert table.moved["threshold", name] == other - base
        assert table.moved["baseline", name] == base - result.scores[name]
    assert table.moved["result.json"].isna().all()


def test_another_threshold_scores_as_a_run_with_it_does(segmental, root, tmp_path):
    """Of both heads of a model with onsets; 0.6 is 153/255."""
    other = run_alone(learning(root, tmp_path / "runs", threshold=0.6))
    found = scored(segmental[0], "threshold=0.6")
    assert scores(found, "threshold", "0.6") == pytest.approx([other.scores[name] for name in METRICS], abs=1e-12)
    assert scores(found, "threshold", "0.6") != scores(found, "baseline")


def test_a_choice_that_a_run_has_already_is_no_choice(run):
    found = scored(run[0], "data.shift=0", "threshold=0.4", "tolerance=0.05", "threshold=0.4")
    assert list(found.table.choice.unique()) == ["result.json", "baseline"]


def test_other_labels_of_the_same_recordings(run, root, tmp_path):
    """A folder with labels of which every second note is left out; and the recordings elsewhere."""
    config, _ = run
    other = tmp_path / "other"
    for part in ("train_data", "train_labels", "test_data"):
        (other / part).parent.mkdir(exist_ok=True)
        (other / part).symlink_to(root / part)
    (other / "test_labels").mkdir()
    for name in IDS:
        head, *rows = (root / f"test_labels/{name}.csv").read_text().splitlines(keepends=True)
        (other / f"test_labels/{name}.csv").write_text("".join([head, *rows[::2]]))
    found = scored(config, f"data.root={other}")
    assert scores(found, "data.root", str(other)) == pytest.approx(expected(config, other / "test_labels"), abs=1e-9)
    assert scores(found, "baseline") == scores(scored(config), "baseline")
    elsewhere = scored(config, root=other)
    assert scores(elsewhere, "baseline") == scores(found, "data.root", str(other))


@pytest.mark.usefixtures("forgotten")
def test_a_key_of_the_source(run, root):
    """Of one that reads MusicNet's layout, and lengthens all notes if it is told to."""

    @sources.register("ringing")
    class Ringing(MusicNet):
        def __init__(self, root: Path, pedal: bool = False):
            super().__init__(root)
            self.pedal = pedal

        def notes(self, labels: Path) -> Sequence[tuple[float, float, int]]:
            rows = [[int(value) for value in row.split(",")] for row in labels.read_text().splitlines()[1:]]
            return [(a / 44_100, (b + 4410 * self.pedal) / 44_100, pitch) for a, b, pitch in rows]

    config, result = run
    runs = read_runs(config.table)
    (name,) = runs.results
    record = result.config | {"data": result.config["data"] | {"source": "ringing"}}
    runs.results[name] = replace(result, config=record)
    found = rescore(config.table, runs, read_choices(["data.pedal=false,true"]), Console(quiet=True))
    assert found.titles == {("data.pedal", "true"): "data.pedal false → true"}
    assert scores(found, "baseline") == pytest.approx(scores(scored(config), "baseline"), abs=1e-9)
    assert list(found.table.value.unique()) == ["", "true"]
    longer = scores(found, "data.pedal", "true")
    base = scores(found, "baseline")
    assert longer[1] == base[1] and longer[0] != base[0] and longer[2] != base[2]  # no onset has moved
    with pytest.raises(ValueError, match=r"data\.peddle \(True\): unknown key; did you mean pedal\?"):
        check_choices(read_choices(["data.peddle=true"]), runs.results.values())
    with pytest.raises(ValueError, match=r"data\.pedal 3: needs a value of type bool"):
        check_choices(read_choices(["data.pedal=3"]), runs.results.values())


def test_labels_of_other_recordings_are_refused(run, root, tmp_path):
    config, _ = run
    make_tones(tmp_path / "more", test=3)
    found = scored(config, f"data.root={tmp_path / 'more'}")
    assert found.table.empty and len(found.remarks) == 1
    said = r"left out of tiny/\w+, data.root=.*more: test recording 2003 is there, .*name the folder .* with --root DIR"
    assert re.match(said, found.remarks[0])
    make_tones(tmp_path / "fewer", test=1)
    with pytest.raises(ValueError, match=r"fewer: test recording 2002 is not there, .*--root DIR"):
        scored(config, root=tmp_path / "fewer")
    make_tones(tmp_path / "long", seconds=6)
    found = scored(config, root=tmp_path / "long")
    assert found.table.empty
    said = "probabilities.npz: frames/2001 has 431 instants, the recording 517: name the folder of its recordings with"
    assert said in found.remarks[0]


def test_a_recording_without_notes_is_in_no_mean(run, root, tmp_path):
    """As in result.json: the scores are those of the other one."""
    config, _ = run
    other = tmp_path / "other"
    make_tones(other)
    (other / "test_labels/2002.csv").write_text("start_time,end_time,note\n")
    for name in IDS:
        soundfile.write(other / f"test_data/{name}.wav", *soundfile.read(root / f"test_data/{name}.wav"))
    choice = f"data.root={other}", "data.root", str(other)
    found = scores(scored(config, choice[0]), *choice[1:])
    assert found == pytest.approx(expected(config, root / "test_labels", ids=["2001"]), abs=1e-9)
    (other / "test_labels/2001.csv").write_text("start_time,end_time,note\n")
    assert np.isnan(scores(scored(config, choice[0]), *choice[1:])).all()


def test_accuracy_is_mir_evals():
    generator = np.random.default_rng(0)
    reference, noise = generator.random((2, 300, 88)) < 0.05
    estimate = reference & (generator.random((300, 88)) < 0.7) | noise
    frequencies = 440 * 2 ** ((np.arange(21, 109) - 69) / 12)
    times, sides = 0.01 * np.arange(300), [[frequencies[row] for row in roll] for roll in (reference, estimate)]
    wanted = mir_eval.multipitch.evaluate(times, sides[0], times, sides[1])["Accuracy"]
    assert accuracy(reference, estimate) == pytest.approx(wanted, abs=1e-12) and 0.2 < wanted < 0.6
    assert np.isnan(accuracy(np.zeros((300, 88), bool), estimate))


def test_a_note_sounds_from_its_start_up_to_its_end():
    notes = np.array([[512, 1024, 60], [0, 5000, 20], [1024, 1025, 60], [700, 1500, 108]])  # MIDI 20 is on no piano
    roll = sounding(notes, np.array([0, 511, 512, 1023, 1024, 1025]))
    assert np.argwhere(roll).tolist() == [[2, 39], [3, 39], [3, 87], [4, 39], [4, 87], [5, 87]]
