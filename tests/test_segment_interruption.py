"""Runs of models that see segments that end before their time: the next one ends with the same weights and scores."""

import random
import sys
from dataclasses import replace

import pytest
import torch
from configs import changed, run_alone
from conftest import DEVICES
from short_training import die_after, segment_config, weights
from tones import make_tones

import sweep.training.checkpoints
import sweep.training.evaluation
from experiments.resilience.kill import checkpointing, compare, scoring, training


@pytest.mark.parametrize("kind", ["conv", "crnn", "trained"])
@pytest.mark.parametrize("device", DEVICES)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(kind, device, small_set, tmp_path, monkeypatch):
    """Dropout, batch norm, augmentation, weight decay and a clipped gradient included; groups of 10 on CUDA."""
    keys = {"device": device, "protocol__steps": 25, "protocol__checkpoint_every": 10, "threshold": "tuned"}
    if kind == "trained":  # its front-end from step 14 on
        keys |= {"frontend__trainable": "bank", "protocol__fixed_steps": 14}
    config = segment_config(small_set, tmp_path / "runs", "crnn" if kind == "crnn" else "conv", **keys)
    assert config.protocol.augment.on and config.protocol.weight_decay and config.protocol.clip
    elsewhere = replace(config, runs=str(tmp_path / "whole"))
    whole, expected = run_alone(elsewhere), weights(elsewhere)

    die_after(20, config, monkeypatch)
    resumed = run_alone(config)
    assert resumed.resumed_from == 20 and whole.resumed_from == 0
    assert resumed.recordings == whole.recordings
    assert (resumed.threshold, resumed.onset_threshold) == (whole.threshold, whole.onset_threshold)
    found = weights(config)
    assert found.keys() == expected.keys() and any("running_var" in key for key in found)
    assert all(torch.equal(value, expected[key]) for key, value in found.items())


def test_a_run_that_failed_in_scoring_trains_no_step_again(small_set, tmp_path, monkeypatch):
    config = segment_config(small_set, tmp_path / "runs")
    whole = run_alone(replace(config, runs=str(tmp_path / "whole")))
    with monkeypatch.context() as patch:
        patch.setattr(sweep.training.evaluation, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_alone(config)
    result = run_alone(config)
    assert result.resumed_from == 12 and result.recordings == whole.recordings


def test_a_checkpoint_of_another_recipe_is_refused(small_set, tmp_path, monkeypatch):
    config = segment_config(small_set, tmp_path / "runs")
    with monkeypatch.context() as patch:
        patch.setattr(sweep.training.evaluation, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_alone(config)
    for key, said in (("augment__noise", r"augment\.noise: 0\.01 -> 0\.5"), ("clip", "clip: 3 -> 0.5")):
        with pytest.raises(ValueError, match=rf"protocol\.{said}"):
            run_alone(changed(config, **{f"protocol__{key}": 0.5}))


@pytest.mark.long  # five sweeps one after the other
def test_a_killed_sweep_ends_as_one_that_was_not(tmp_path):
    make_tones(tmp_path / "tiny", seconds=4)
    words = ["data=musicnet", "data.cache=null", f"data.root={tmp_path / 'tiny'}", "device=cpu", "workers=0"]
    words += ["representation=mel-512-128", "model=conv", "protocol=converged", "protocol.checkpoint_every=10"]
    words += ["protocol.window=16384", "protocol.steps=80", "protocol.batch_size=8", "protocol.scored_windows=30"]
    command = [sys.executable, "-m", "sweep", *words]
    outcome = compare([training, checkpointing, scoring], random.Random(0), tmp_path, command)
    assert outcome["differences"] == [] and outcome["files not accounted for"] == []
    assert sum(outcome["kills"].values()) == 3 and outcome["kills"].get("ended before", 0) < 2
    assert outcome["attempts that resumed above 0"] >= 2
