"""Rows of learned filters: their keys, and a run that trains them, dies, resumes, is scored and transcribes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from configs import changed, make_config, run_alone
from conftest import read_settings
from short_training import converged_config, die_after, weights

from sweep import row
from sweep.representations import from_tree
from sweep.results.evidence import read_evidence
from sweep.transcribe.trained import load_transcriber
from sweep.transforms import LEAF, SincNet

FEW = {"n_filters": 6, "filter_length": 101, "pool_length": 201}
CLIPS = 0.1 * torch.randn(2, 5944, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "name, made",
    [
        ("leaf", LEAF()),
        ("leaf-128", LEAF(n_filters=128, filter_length=2049, f_min=30.0, n_fft=4096, pcen=False)),
        ("sincnet", SincNet()),
    ],
)
def test_a_row_is_its_transform(name, made):
    it = row(name)
    assert it.sample_rate == 16_000 and it.bins == made.n_bins and it.context == made.context
    np.testing.assert_allclose(it.frequencies, made.frequencies, rtol=1e-12)
    features = it.features(CLIPS)
    expected = made(CLIPS) if name == "leaf" else torch.log(made(CLIPS) + 1e-5)
    torch.testing.assert_close(features, expected, rtol=1e-6, atol=1e-6)
    assert it.front_end(5944).engine_on("cpu") == made.engine_on("cpu")


@pytest.mark.parametrize(
    "name, key, value, message",
    [
        ("leaf", "pad_mode", "reflect", "leaf.yaml: pad_mode reflect: the family has no choice of it; choose constant"),
        ("sincnet", "window", "boxcar", "sincnet.yaml: window boxcar: the family has no choice of it; choose hann"),
        ("leaf", "filter_length", 400, "filter_length 400 is even: needs a middle sample; choose 399 or 401"),
        ("leaf", "f_max", 8100.0, "f_max 8100 Hz > half the sample rate"),
        ("sincnet", "f_max", 7990.0, "f_max 7990 Hz > 7900 Hz"),
        ("leaf", "n_filters", 200, "mel bands hold no point of its grid; choose a longer n_fft"),
    ],
)
def test_a_wrong_number_is_named(name, key, value, message):
    with pytest.raises(ValueError, match=message):
        from_tree({**read_settings(name), key: value})


@pytest.mark.parametrize("name", ["leaf", "sincnet"])
def test_all_of_a_row_is_trained_or_nothing(name):
    with pytest.raises(ValueError, match=f"frontend.trainable bank: {name} has no mel bank"):
        make_config(f"representation={name}", "frontend.trainable=bank", "protocol=quick")
    assert make_config(f"representation={name}", "frontend.trainable=true", "protocol=quick").variant == "trainable"


@pytest.mark.parametrize("name, rate", [("leaf", 1e-3), ("sincnet", 1.0)])
def test_a_run_trains_resumes_and_transcribes(name, rate, small_set, tmp_path, monkeypatch):
    config = converged_config(small_set, tmp_path / "runs")
    config = changed(config, frontend__trainable=True, frontend__learning_rate=rate)
    config = replace(config, representation=row(name, **FEW))
    whole = run_alone(replace(config, runs=str(tmp_path / "whole")))
    die_after(3, config, monkeypatch)
    result = run_alone(config)
    assert result.resumed_from > 0 and result.scores == whole.scores
    counts = {"leaf": 7, "sincnet": 2}
    assert result.parameters["frontend"] == 6 * counts[name] and result.moved["kernels"] > 1e-4

    initial, trained = row(name, **FEW).transform(trainable=True), weights(config)
    states = {key.rpartition(".")[2]: value for key, value in trained.items() if key.startswith("frontend.")}
    assert states.keys() == initial.learned.keys()
    assert all((value != initial.learned[key]).any() for key, value in states.items())
    initial.learned.load_state_dict(states)
    kept = read_evidence(config.folder)
    bins = kept["kernel_bins"]
    for place, bin in enumerate(bins):
        np.testing.assert_allclose(kept["kernel_taps"][1, place, :101], initial.kernel(bin)[1], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(kept["kernel_frequencies"], initial.frequencies[bins])

    transcriber, representation, _ = load_transcriber(config.folder, "cpu")
    assert representation == config.representation
    with torch.no_grad():
        torch.testing.assert_close(transcriber.frontend.spectrogram(CLIPS)[:, 0], initial(CLIPS))


@pytest.mark.parametrize("made", [LEAF, SincNet])
def test_a_frozen_copy_has_the_centres_that_were_learned(made):
    front_end = made(trainable=True)
    before = front_end.frequencies
    name = "centres" if made is LEAF else "low"
    with torch.no_grad():
        front_end.learned[name][:2] += 0.1 if made is LEAF else 254.6  # radians per sample, Hz: 0.1 * 16000 / (2 pi)
    moved = front_end.frozen().frequencies - before
    np.testing.assert_allclose(moved[:2], 254.6, atol=0.1)
    np.testing.assert_allclose(moved[2:], 0.0, atol=1e-3)
