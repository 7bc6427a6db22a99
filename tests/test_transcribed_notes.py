"""The notes that `sweep transcribe` writes are those that the run was scored for, whatever the run."""

import csv
from pathlib import Path

import mir_eval
import numpy as np
import pandas as pd
import pretty_midi
import pytest
import soundfile
import torch
from configs import run_alone, short_config
from conftest import SHARED
from short_training import make_ear
from test_app import call

from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.results.notes import GAP, SHORTEST
from sweep.results.scoring import NOTE_SCORES
from sweep.training.hearing import Thresholds, whole_of
from sweep.transcribe.trained import load_transcriber
from sweep.transcribe.transcribe import transcribe

# Of a recording of 5 s, 182 scored windows are 612 samples apart and the first one's centre is sample 52,292: with
# frames of 68 samples each of them is a frame's centre.
SCORED, STRIDE, FIRST, HOP = 182, 612, 52_292, 68
KINDS = {
    "plain": {},
    "trained": {"frontend__trainable": True},
    "controlled": {"control": {"name": "capacity", "width": 40}},
    "tuned": {"data__validation": 0.4, "threshold": "tuned"},
    "changed": {"representation__hop_length": 1024},
    "cnn": {"model__name": "cnn"},
    "paper": {"protocol__standardise": 0, "protocol__output_bias": False},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_demo(root, train=3, test=2, seconds=5)
    return root


def sounding(notes, centres: np.ndarray) -> np.ndarray:
    """(frames, 128) bool, of (onset, offset, pitch) in samples."""
    roll = np.zeros((len(centres), 128), bool)
    for onset, offset, pitch in notes:
        roll[(centres >= onset) & (centres < offset), pitch] = True
    return roll


def reference(labels: Path, centres: np.ndarray) -> np.ndarray:
    rows = csv.DictReader(labels.open())
    return sounding(((int(r["start_time"]), int(r["end_time"]), int(r["note"])) for r in rows), centres)


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=[pytest.mark.long] * (kind == "cnn")) for kind in KINDS])
def test_the_notes_are_those_that_the_run_was_scored_for(kind, root, tmp_path):
    """Without closing and dropping, the table gives at the scored instants the counts that result.json has."""
    keys = KINDS[kind] | {"protocol__scored_windows": SCORED, "protocol__validation_windows": 20}
    config = short_config(root, tmp_path / "runs", "linear-512", **keys)
    run_alone(config)
    transcriber, representation, result = load_transcriber(config.folder, "cpu")
    audio = sorted((root / "test_data").iterdir())[0]
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("csv", "mid", "png")}
    transcribe(audio, make_ear(transcriber, representation, result.threshold, HOP, 0.0, 0.0), paths, (0, 1))
    notes = pd.read_csv(paths["csv"])
    centres = FIRST + STRIDE * np.arange(SCORED)
    samples = notes[["onset_seconds", "offset_seconds"]].to_numpy() * 44100
    estimate = sounding(zip(*samples.T, notes.pitch.astype(int), strict=True), centres)
    wanted = reference(root / "test_labels" / f"{audio.stem}.csv", centres)
    actual = [roll[:, 21:109].sum() for roll in (wanted, estimate, wanted & estimate)]
    assert actual == np.sum(result.recordings[audio.stem]["blocks"]["frames"], axis=0).tolist()
    assert actual[1] > 0  # it hears something


def test_nothing_sounds_in_silence(root, tmp_path):
    """Between two sounds, in digital silence and in noise at -80 dB, where the model by itself hears something."""
    config = short_config(root, tmp_path / "runs", "linear-256", protocol__standardise=1)
    run_alone(config)
    transcriber, representation, _ = load_transcriber(config.folder, "cpu")
    sound, rate = soundfile.read(sorted((root / "test_data").iterdir())[0])
    noise = np.random.default_rng(0).normal(0, 1e-4, 2 * rate)
    soundfile.write(tmp_path / "x.wav", np.r_[sound, np.zeros(2 * rate), noise, sound], rate, subtype="FLOAT")
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("csv", "mid", "png")}
    transcribe(tmp_path / "x.wav", make_ear(transcriber, representation, 0.2, 512, 0.0, 0.0), paths, (0, 1))
    notes = pd.read_csv(paths["csv"])
    half = 8192 / rate
    inside = (notes.offset_seconds > 5 + half + 0.01) & (notes.onset_seconds < 9 - half - 0.01)
    assert not inside.any()
    assert (notes.onset_seconds < 5).any() and (notes.onset_seconds > 9).any()
    with torch.inference_mode():
        quiet = transcriber.predict(torch.from_numpy(noise[:16384]).float()[None])["frames"].sigmoid()
    assert quiet.max() > 0.2


@pytest.mark.skipif(not (SHARED / "musicnet-mini").is_dir(), reason="genuine recordings are not at hand")
def test_a_genuine_recordings_midi_scores_as_its_run_did(tmp_path):
    """Trained on the others; closing gaps and dropping crumbs moves the accuracy by a little only."""
    root, runs = SHARED / "musicnet-mini", tmp_path / "runs"
    keys = {"protocol__steps": 150, "protocol__batch_size": 64, "protocol__scored_windows": 1000}
    config = short_config(root, runs, "mel-1024-128", **keys, protocol__note_step=512)
    scores = run_alone(config).scores
    accuracy = scores["accuracy"]
    audio = root / "test_data/2303.flac"
    ended = call("transcribe", str(runs), str(audio), "--out", ".", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "2303.notes.mid"))
    notes = [(note.start * 44100, note.end * 44100, note.pitch) for note in midi.instruments[0].notes]
    centres = np.arange(52_292, soundfile.info(audio).frames - 57_344, 500)
    wanted, estimate = reference(root / "test_labels/2303.csv", centres), sounding(notes, centres)
    assert accuracy > 0.3
    # 0.012 measured here with cqt-48 and 300 steps, 0.014 with mel-2048-128.
    assert (wanted & estimate).sum() / (wanted | estimate).sum() == pytest.approx(accuracy, abs=0.04)

    # The scores of notes are mir_eval's, of the notes before they are written and of those in the file.
    labels = np.loadtxt(root / "test_labels/2303.csv", delimiter=",", skiprows=1, usecols=(0, 1, 3))
    recordings = Recordings(read_split(root, "test"))
    heard = whole_of(load_transcriber(config.folder, "cpu")[0], recordings, 0, 512).notes(Thresholds(0.4, None))
    written = [(note.start, note.end, note.pitch) for note in midi.instruments[0].notes]
    for found, tolerance in ((heard[["onset_seconds", "offset_seconds", "pitch"]].to_numpy(), 1e-9), (written, 0.005)):
        assert [scores[name] for name in NOTE_SCORES] == pytest.approx(
            [*by_mir_eval(labels / [44100, 44100, 1], found, None), *by_mir_eval(labels / [44100, 44100, 1], found)],
            abs=tolerance,
        )
    assert scores["note_f1"] > 0.2


def by_mir_eval(reference: np.ndarray, estimate: np.ndarray, *ratio: None) -> tuple[float, float, float]:
    """F1, precision and recall of (onset, offset, pitch) in seconds and MIDI, all notes at once."""
    sides = []
    for side in map(np.asarray, (reference, estimate)):
        sides += [side[:, :2], 440 * 2 ** ((side[:, 2] - 69) / 12)]
    options = {"offset_ratio": ratio[0]} if ratio else {}
    precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(*sides, **options)
    return f1, precision, recall


def test_an_audio_file_gives_the_notes_that_its_scores_are_of(root, tmp_path):
    """At the protocol's step; the CSV has times to 0.1 ms."""
    config = short_config(root, tmp_path / "runs", "linear-256")
    run_alone(config)
    transcriber, representation, result = load_transcriber(config.folder, "cpu")
    step = result.config["protocol"]["note_step"]
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("csv", "mid", "png")}
    ear = make_ear(transcriber, representation, result.threshold, step, GAP, SHORTEST)
    transcribe(root / "test_data/2002.wav", ear, paths, (0, 1))
    notes = pd.read_csv(paths["csv"])
    recordings = Recordings(read_split(root, "test"))
    heard = whole_of(transcriber, recordings, 1, step).notes(Thresholds(0.4, None))
    pd.testing.assert_frame_equal(notes, heard, atol=6e-4, rtol=0)
    assert np.sum(result.recordings["2002"]["blocks"]["notes"], axis=0)[1] == len(notes) > 5
