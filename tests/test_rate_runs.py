"""Runs whose rows have their own sample rates: cached, killed and resumed, transcribed, and what their results say."""

import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from cached_set import damage_audio
from configs import run_alone, short_config
from conftest import ROWS
from rich.console import Console
from short_training import make_ear
from test_rates import data_of

from experiments.resilience.kill import checkpointing, compare, scoring, training
from sweep.data.reading import read_audio_at, read_split
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.data.targets import Labels
from sweep.results.notes import GAP, SHORTEST
from sweep.training.hearing import Thresholds, whole_of
from sweep.training.loading import load
from sweep.transcribe.trained import load_transcriber
from sweep.transcribe.transcribe import transcribe

RATES = (44_100, 16_000, 22_050)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_demo(root, train=2, test=2, seconds=5)
    return root


def audio_at(root: Path, rate: int, cache: Path | None) -> list[np.ndarray]:
    paths = sorted((root / "train_data").iterdir())
    return [part.copy() for part in read_audio_at(root, "train", paths, rate, cache=cache)]


def test_the_cache_has_a_file_for_each_split_and_rate_and_the_next_start_decodes_nothing(tmp_path):
    root, cache = tmp_path / "tiny", tmp_path / "cache"
    make_demo(root, train=2, test=1, seconds=4)
    expected = {rate: audio_at(root, rate, None) for rate in RATES}

    def load_all(fingerprint: str) -> list[Recordings]:
        config = replace(data_of(root, source="musicnet", cache=str(cache)), fingerprint=fingerprint)
        return [load(config, rate, torch.device("cpu"), Console(quiet=True)).train for rate in RATES[::-1]]

    first = load_all("first")
    names = {path.name.partition("-")[2].partition("-")[2] for path in cache.iterdir()}
    assert names == {f"{split}{rate}.audio" for split in ("train", "test") for rate in ("", "-16000", "-22050")}
    damage_audio(root)
    again = load_all("again")
    assert all(torch.equal(one.samples, two.samples) for one, two in zip(first, again, strict=True))
    for rate in RATES:
        for one, two in zip(audio_at(root, rate, cache), expected[rate], strict=True):
            np.testing.assert_array_equal(one, two, strict=True)


def test_a_changed_file_is_decoded_anew_at_each_rate(tmp_path):
    root, cache = tmp_path / "tiny", tmp_path / "cache"
    make_demo(root, train=2, test=1, seconds=4)
    before = {rate: audio_at(root, rate, cache) for rate in RATES}
    one, other = sorted((root / "train_data").iterdir())
    one.write_bytes(other.read_bytes())
    os.utime(one, ns=(0, 1))
    for rate in RATES:
        changed = audio_at(root, rate, cache)
        np.testing.assert_array_equal(changed[0], before[rate][1])
        np.testing.assert_array_equal(changed[1], before[rate][1])


def rate_config(root: Path, runs: Path, rate: int, **keys):
    row = {"representation__sample_rate": rate, "representation__f_max": 6000}
    return short_config(root, runs / str(rate), "mel-2048-128", **row | keys)


def test_the_result_counts_the_rows_own_samples(root, tmp_path):
    result = run_alone(rate_config(root, tmp_path / "runs", 16_000))
    assert result.window == 5944 and result.context == 2048  # 16,384 samples at 44.1 kHz
    assert result.parameters["model"] == 128 * (128 * (1 + 5944 // 512)) + 128
    assert result.audio.startswith("2 recordings, 0.2 min at 16,000 Hz, float32")
    reference = run_alone(rate_config(root, tmp_path / "runs", 44_100))
    assert reference.window == 16_384 and reference.multiply_adds["model"] == 44_100 / 512 * 128 * 128 * 33
    assert result.multiply_adds["model"] == 44_100 / 512 * 128 * 128 * 12  # at as many estimates a second
    row = replace(ROWS["mel-2048-128"], sample_rate=16_000)
    assert result.multiply_adds["frontend"] == 44_100 / 512 * row.transform().multiply_adds(5944)


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_an_audio_file_gives_the_notes_that_its_scores_are_of(rate, root, tmp_path):
    """At the protocol's step; the CSV has times to 0.1 ms."""
    config = rate_config(root, tmp_path / "runs", rate)
    run_alone(config)
    transcriber, representation, result = load_transcriber(config.folder, "cpu")
    step = result.config["protocol"]["note_step"]
    paths = {kind: tmp_path / f"x.{kind}" for kind in ("csv", "mid", "png")}
    ear = make_ear(transcriber, representation, result.threshold, step, GAP, SHORTEST)
    transcribe(root / "test_data/2002.wav", ear, paths, (0, 1))
    notes = pd.read_csv(paths["csv"])
    test = read_split(root, "test")
    audio = read_audio_at(root, "test", [recording.path for recording in test], rate)
    heard = whole_of(transcriber, Recordings.of(Labels(test), audio, rate), 1, step).notes(Thresholds(0.4, None))
    pd.testing.assert_frame_equal(notes, heard, atol=6e-4, rtol=0)
    assert np.sum(result.recordings["2002"]["blocks"]["notes"], axis=0)[1] == len(notes) > 2


def test_scores_of_rates_compare_on_the_same_instants(root, tmp_path):
    """As many frames of each recording, with as many notes of the labels, whatever the rate."""
    counts = []
    for rate in RATES:
        result = run_alone(rate_config(root, tmp_path / "runs", rate))
        blocks = [result.recordings[name]["blocks"] for name in ("2001", "2002")]
        counts.append([np.array(block["frames"])[:, 0].tolist() for block in blocks])
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.long  # five sweeps one after the other
def test_a_killed_sweep_of_three_rates_ends_as_one_that_was_not(root, tmp_path):
    """With a cache, so that rates are read from it after a kill."""
    rows = "representation.sample_rate=" + ",".join(map(str, RATES))
    command = [sys.executable, "-m", "sweep", "representation=mel-2048-128", "representation.f_max=6000", rows]
    command += ["data=musicnet", f"data.root={root}", "data.cache=data/cache", "protocol.steps=60", "workers=0"]
    command += ["protocol.checkpoint_every=5", "protocol.scored_windows=30", "device=cpu"]
    outcome = compare([training, checkpointing, scoring, training], random.Random(0), tmp_path, command)
    assert outcome["differences"] == [] and outcome["files not accounted for"] == []
    assert outcome["kills"].get("ended before", 0) < 2 and outcome["attempts that resumed above 0"] >= 2
    results = [json.loads(path.read_text()) for path in tmp_path.glob("killed/runs/*/*/*/*/*/result.json")]
    assert sorted(result["config"]["representation"]["sample_rate"] for result in results) == sorted(RATES)
    files = {path.name.rpartition("train")[2] for path in tmp_path.glob("killed/data/cache/*-train*.audio")}
    assert files == {".audio", "-16000.audio", "-22050.audio"}
