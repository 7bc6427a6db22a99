"""A run of a model that sees segments, from end to end: instants, thresholds, notes, files, report and page."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pretty_midi
import pytest
import torch
from configs import changed, run_alone, short_config
from conftest import read_settings
from parsed_page import Page
from rich.console import Console
from short_training import segment_config
from test_transcribed_notes import by_mir_eval, reference
from tones import make_tones

from sweep.commands import parser
from sweep.config import RunConfig
from sweep.data.covering import by_windows
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.representations import from_tree
from sweep.results.evidence import read_evidence
from sweep.results.notes import GAP, SHORTEST
from sweep.results.plan import write_plan
from sweep.results.result import Result, read_result
from sweep.results.scoring import NOTE_SCORES
from sweep.results.thresholds import ONSET_THRESHOLDS, THRESHOLDS
from sweep.scheduling.jobs import Run
from sweep.training.building import features_of
from sweep.training.hearing import Thresholds, choose_thresholds, hear, whole_of
from sweep.training.loading import load
from sweep.training.model import Model, output_layer
from sweep.training.transcriber import Transcriber
from sweep.transcribe.trained import load_transcriber
from sweep.transcribe.transcribe import Ear, transcribe

# A recording of 5 s is scored at 182 instants, 612 samples apart, from sample 52,292 on.
INSTANTS = 44_100 + 8192 + 612 * np.arange(182)
QUIET = {"gain": 0, "noise": 0, "equalise": 0, "mask_bins": 0, "mask_frames": 0}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_tones(root)
    return root


def learning(root: Path, runs: Path, model: str = "conv", **keys) -> RunConfig:
    """A run that learns the tones in 2 s."""
    sizes = {"steps": 100, "batch_size": 8, "learning_rate": 1e-2, "checkpoint_every": 40, "scored_windows": 182}
    sizes = {f"protocol__{key}": value for key, value in sizes.items()} | {"protocol__augment": QUIET}
    return segment_config(root, runs, model, **sizes | {"model__channels": 8, "model__width": 64} | keys)


@pytest.fixture(scope="module")
def done(root, tmp_path_factory) -> tuple[RunConfig, Result]:
    config = learning(root, tmp_path_factory.mktemp("segments") / "runs", threshold="tuned")
    return config, run_alone(config)


@pytest.fixture(scope="module")
def linear(root, done) -> tuple[RunConfig, Result]:
    """A run of the linear model beside it."""
    config = short_config(root, Path(done[0].runs), "mel-512-128", protocol__scored_windows=182)
    config = changed(config, protocol__name="converged")
    return config, run_alone(config)


@pytest.fixture(scope="module")
def loaded(done):
    return load_transcriber(done[0].folder, "cpu")


def notes_in(path: Path) -> np.ndarray:
    """(notes, 3): onset, offset in seconds and pitch."""
    return np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)[:, :3] / [44_100, 44_100, 1]


def test_it_learns_and_says_so(done):
    config, result = done
    assert result.scores["accuracy"] > 0.6 and result.scores["note_f1"] > 0.6
    assert read_result(config.folder) == result and result.model.startswith("conv+channels=4")
    assert result.window == 16_384 and result.onset_threshold in ONSET_THRESHOLDS
    assert json.loads((config.folder / "result.json").read_text())["format"] == 6
    assert sorted(path.name for path in config.folder.iterdir()) == [
        "curves",
        "evidence.npz",
        "model.ckpt",
        "result.json",
    ]


def test_frames_are_scored_where_those_of_a_linear_model_are(root, done, linear, loaded):
    """At each instant the nearest of the frames that cover the recording; counts in blocks are of the same instants."""
    config, result = done
    assert result.recordings.keys() == linear[1].recordings.keys() == {"2001", "2002"}
    assert linear[1].onset_threshold is None
    test = Recordings(read_split(root, "test"))
    for index, (name, found) in enumerate(result.recordings.items()):
        blocks, theirs = (np.array(one["blocks"]["frames"]) for one in (found, linear[1].recordings[name]))
        assert blocks[:, 0].tolist() == theirs[:, 0].tolist()
        wanted = reference(root / f"test_labels/{name}.csv", INSTANTS)
        whole = hear(loaded[0], test, index, loaded[0].covering(44_100))
        centres = 512 * np.arange(len(whole.heads["frames"]))
        nearest = abs(INSTANTS[:, None] - centres).argmin(axis=1)
        estimate = whole.heads["frames"][nearest] > result.threshold
        counts = [roll[:, 21:109].sum() for roll in (wanted, estimate, wanted & estimate)]
        assert blocks.sum(axis=0).tolist() == counts
        evidence = read_evidence(config.folder)
        np.testing.assert_array_equal(evidence["pitches"][index].sum(axis=0), counts)
    np.testing.assert_allclose(evidence["times"], INSTANTS / 44_100)


def test_both_thresholds_are_those_that_score_highest_on_held_out_recordings(root, done, loaded):
    """The frames' on all frames of clips spread over them, the onsets' on the notes of all of them."""
    config, result = done
    train = read_split(root, "train")
    held_out = Recordings([train[1]])  # of three recordings, 30 % is the middle one
    notes = held_out.notes[0]
    starts = np.linspace(0, len(train[1].audio) - 16_384, 5).astype(int)
    audio = held_out.audio(0, torch.from_numpy(starts), 16_384)
    with torch.inference_mode():
        probability = loaded[0](audio)["frames"].sigmoid()[..., 21:109].numpy()
    at = starts[:, None] + 512 * np.arange(33)
    wanted = np.zeros(probability.shape, bool)
    for start, end, pitch in notes[:, :3]:
        wanted[..., pitch - 21] |= (at >= start) & (at < end)
    accuracy = [(wanted & (probability > t)).sum() / (wanted | (probability > t)).sum() for t in THRESHOLDS]
    assert result.threshold == THRESHOLDS[np.argmax(accuracy)]
    whole = whole_of(loaded[0], held_out, 0, 512)
    found = []
    for threshold in ONSET_THRESHOLDS:
        written = whole.notes(Thresholds(result.threshold, threshold))
        written = written[["onset_seconds", "offset_seconds", "pitch"]].to_numpy()
        found.append(by_mir_eval(notes[:, :3] / [44_100, 44_100, 1], written, None)[0] if len(written) else 0)
    assert len(set(found)) > 2
    assert result.onset_threshold == ONSET_THRESHOLDS[np.argmax(found)]


def test_the_notes_that_are_scored_are_those_that_are_written(root, done, tmp_path, monkeypatch):
    """`sweep transcribe` gives the notes whose scores by mir_eval are the run's."""
    config, result = done
    monkeypatch.chdir(tmp_path)
    files = [str(root / f"test_data/{name}.wav") for name in result.recordings]
    assert parser.main(["transcribe", str(config.folder), *files, "--out", ".", "--device", "cpu"]) == 0
    for name, found in result.recordings.items():
        wanted = notes_in(root / f"test_labels/{name}.csv")
        table = pd.read_csv(f"{name}.notes.csv")[["onset_seconds", "offset_seconds", "pitch"]].to_numpy()
        (instrument,) = pretty_midi.PrettyMIDI(f"{name}.notes.mid").instruments
        midi = [(note.start, note.end, note.pitch) for note in instrument.notes]
        for written in (table, midi):
            expected = [*by_mir_eval(wanted, written, None), *by_mir_eval(wanted, written)]
            assert [found[score] for score in NOTE_SCORES] == pytest.approx(expected, abs=1e-9)
        assert found["note_f1"] > 0.3
        assert np.sum(found["blocks"]["notes"], axis=0)[:2].tolist() == [len(wanted), len(table)]
        assert Path(f"{name}.notes.png").stat().st_size > 10_000


@pytest.mark.parametrize("row", ["mt3", "tabcnn", "omnizart"])
def test_a_file_gives_the_same_notes_as_its_recording_at_any_rate_and_framing(row, root, tmp_path):
    """At 16,000 and 22,050 Hz, with frames that begin on multiples of the hop, or that leave out the ends."""
    config = learning(root, tmp_path / "runs", protocol__steps=3, protocol__validation_windows=2)
    config = replace(config, representation=from_tree(read_settings(row)))
    run_alone(config)
    transcriber, representation, _ = load_transcriber(config.folder, "cpu")
    test = load(config.data, representation.sample_rate, torch.device("cpu"), Console(quiet=True)).test
    covering, heard = transcriber.covering(representation.sample_rate), whole_of(transcriber, test, 1, None)
    assert len(heard.onsets) == 1 + 5 * representation.sample_rate // representation.hop_length
    thresholds = Thresholds(float(np.quantile(heard.heads["frames"], 0.98)), float(np.quantile(heard.onsets, 0.98)))
    assert covering.hop_seconds == representation.hop_length / representation.sample_rate
    ear = Ear(transcriber, representation, "", thresholds, covering, GAP, SHORTEST)
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("csv", "mid", "png")}
    transcribe(root / "test_data/2002.wav", ear, paths, (0, 1))
    expected = heard.notes(thresholds)
    pd.testing.assert_frame_equal(pd.read_csv(paths["csv"]), expected, atol=6e-4, rtol=0, check_dtype=False)
    assert len(expected) > 5


def test_thresholds_of_the_command_line_are_those_that_hold(root, done, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = []
    for words in ([], ["--onset-threshold", "0.999"], ["--onset-threshold", "0.02"], ["--threshold", "0.9"]):
        file = str(root / "test_data/2001.wav")
        assert parser.main(["transcribe", str(done[0].folder), file, "--out", ".", *words]) == 0
        table = pd.read_csv("2001.notes.csv")
        counts.append((len(table), (table.offset_seconds - table.onset_seconds).sum()))
    assert counts[1][0] < counts[0][0] < counts[2][0]
    assert counts[3][0] == counts[0][0] and counts[3][1] < counts[0][1]  # as many notes, but shorter


@pytest.mark.parametrize(
    ("which", "words", "said"),
    [
        ("done", ["--hop", "512"], "--hop 512: "),
        ("linear", ["--onset-threshold", "0.3"], "--onset-threshold 0.3: linear has no onset head"),
        ("done", ["--onset-threshold", "2"], "--onset-threshold 2.0: needs a number"),
        ("linear", ["--hop", "0.5"], "--hop 0.5: needs a whole number"),
    ],
)
def test_what_a_model_does_not_take_is_said_in_a_line(which, words, said, root, request, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = request.getfixturevalue(which)[0].folder
    assert parser.main(["transcribe", str(folder), str(root / "test_data/2001.wav"), "--out", ".", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"sweep transcribe: {said}") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_validation_is_logged(done):
    (curves,) = done[0].folder.glob("curves/*/metrics.csv")
    rows = list(csv.DictReader(curves.open()))
    losses = [float(row["validation/loss"]) for row in rows if row["validation/loss"]]
    precision = [float(row["validation/average_precision"]) for row in rows if row["validation/average_precision"]]
    assert len(losses) == len(precision) == 2  # at steps 40 and 80
    assert losses[1] < losses[0] and precision[1] > precision[0] and precision[1] > 0.5


def test_reports_and_pages_show_both_kinds(done, linear, capsys):
    config, _ = done
    for each in (config, linear[0]):
        planned = Run("", each)
        write_plan(each.table, {planned.name: planned.planned()})
    assert parser.main(["report", str(config.table)]) == 0
    assert "conv" in capsys.readouterr().out
    table = pd.read_csv(config.table / "table.csv").set_index("model")
    ours = table.loc[config.model_row]
    assert ours.note_f1 == pytest.approx(done[1].scores["note_f1"], abs=1e-3)
    assert ours.parameters_model < table.loc["linear"].parameters_model
    page = Page((config.table / "report.html").read_text())
    assert sum(address.startswith("data:image/png;base64,") for address in page.addresses) >= 4


def test_without_note_scores_a_run_has_frames_scores_alone(root, tmp_path):
    config = learning(root, tmp_path / "runs", "crnn", protocol__note_step=None, protocol__steps=4)
    result = run_alone(config)
    assert all(np.isnan(result.scores[name]) for name in NOTE_SCORES)
    assert 0 < result.scores["average_precision"] < 1
    assert result.threshold == result.onset_threshold == 0.4
    assert all("notes" not in found["blocks"] for found in result.recordings.values())


class TwoHeads(Model):
    """A model of windows that says what begins in their middle, too."""

    HEADS = ("frames", "onsets")

    def __init__(self, features, bias=None):
        super().__init__(features)
        self.output = output_layer(features.bins, 128, None)

    def forward(self, features):
        logits = self.output(features.mean((1, 3)))[:, None]
        return {"frames": logits, "onsets": -logits}


@pytest.mark.parametrize("note_step", [512, None])
def test_a_model_of_windows_may_have_an_onset_head(note_step, root, tmp_path):
    """Its notes need onsets, too, and its threshold is tuned without note scores as well."""
    config = short_config(
        root, tmp_path, "mel-512-128", protocol__note_step=note_step, threshold="tuned", data__validation=0.3
    )
    features = features_of(config.representation, 16_384)
    torch.manual_seed(0)
    frontend = config.representation.front_end()
    transcriber = Transcriber(frontend, TwoHeads(features), features, config.protocol).eval()
    held_out = Recordings(read_split(root, "train")[:1])
    thresholds = choose_thresholds(transcriber, config, held_out)
    assert thresholds.frames in THRESHOLDS and thresholds.onsets in ONSET_THRESHOLDS
    whole = hear(transcriber, held_out, 0, by_windows(16_384, 512, 44_100))
    assert {head: value.shape for head, value in whole.heads.items()} == dict.fromkeys(("frames", "onsets"), (431, 128))
    np.testing.assert_allclose(whole.heads["onsets"], 1 - whole.heads["frames"], atol=1e-6)
