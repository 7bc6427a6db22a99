"""Controls: equal capacity by a fixed projection, and a threshold chosen on held-out recordings."""

from dataclasses import replace

import mir_eval
import numpy as np
import pytest
import torch
from configs import make_config
from conftest import ROWS

from sweep import row
from sweep.results.scoring import FREQUENCIES
from sweep.results.thresholds import THRESHOLDS, best_threshold
from sweep.training.building import features_of
from sweep.training.model import Model, projection
from sweep.training.models.linear import Linear
from sweep.training.transcriber import Transcriber

KEYS = {"learning_rate": 0.06, "learning_rate_scaling": "features"}
PROTOCOL = replace(make_config("protocol=paper").protocol, **KEYS)


def bare(representation, frontend, width: int | None) -> Transcriber:
    """A transcriber without weights in its model."""
    features = features_of(representation, 16384, width)
    return Transcriber(frontend, Model(features), features, PROTOCOL, width=width)


def test_all_rows_have_as_many_weights_and_one_rate():
    rates, counts = set(), set()
    for name in ("cqt-12", "mel-512-256", "linear-1024"):
        representation = ROWS[name]
        frontend = representation.front_end(accuracy="fast")
        features = features_of(representation, 16384, 256)
        module = Transcriber(frontend, Linear(features), features, PROTOCOL, width=256)
        logits = module(torch.randn(2, 16384))
        assert logits["frames"].shape == (2, 1, 128)
        rates.add(module.rates(0)[0])
        counts.add(sum(p.numel() for p in module.parameters()))
        assert module.projection.shape == (256, representation.n_bins)
    assert rates == {0.06 / (256 * 33) ** 0.5} and counts == {256 * 33 * 128}


def test_the_model_sees_the_projected_features():
    representation = ROWS["mel-512-128"]
    frontend = representation.front_end()
    plain, controlled = (bare(representation, frontend, width) for width in (None, 40))
    audio = torch.randn(3, 16384)
    expected = np.einsum("wb,ncbf->ncwf", projection(128, 40).numpy(), plain.features(audio).numpy())
    np.testing.assert_allclose(controlled.features(audio).numpy(), expected, rtol=1e-4, atol=1e-4)


def test_all_channels_go_through_one_projection():
    representation = row("onsets-velocities")
    frontend = representation.front_end(5944)
    plain, controlled = (bare(representation, frontend, width) for width in (None, 40))
    audio = torch.randn(3, 5944)
    seen = plain.features(audio)
    assert seen.shape == (3, 2, 229, 16) and controlled.features(audio).shape == (3, 1, 40, 16)
    expected = np.einsum("wb,nbf->nwf", projection(458, 40).numpy(), seen.flatten(1, 2).numpy())
    np.testing.assert_allclose(controlled.features(audio)[:, 0].numpy(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("bins", "width"), [(84, 256), (256, 256), (2049, 256)])
def test_a_projection_keeps_the_power_of_white_features_and_is_the_same_each_time(bins, width):
    p = projection(bins, width)
    assert p.shape == (width, bins) and torch.equal(p, projection(bins, width))
    white = torch.randn(bins, 20_000, generator=torch.Generator().manual_seed(1))
    assert (p @ white).square().mean() == pytest.approx(1.0, abs=0.02)
    assert torch.linalg.matrix_rank(p) == min(bins, width)


def test_the_threshold_is_the_one_at_which_mir_eval_finds_the_highest_accuracy():
    rng = np.random.default_rng(0)
    recordings = []
    for frames in (60, 90):
        reference = rng.random((frames, 128)) < 0.05
        recordings.append((reference, np.clip(rng.normal(0.2 + 0.35 * reference, 0.15), 0, 1).astype(np.float32)))

    def accuracy(threshold: float) -> float:
        figures = []
        for reference, probability in recordings:
            times = np.arange(len(reference)) / 100
            sounding = [[FREQUENCIES[f] for f in roll[:, 21:109]] for roll in (reference, probability > threshold)]
            figures.append(mir_eval.multipitch.metrics(times, sounding[0], times, sounding[1])[2])
        return float(np.mean(figures))

    chosen = best_threshold(iter(recordings))
    assert chosen in THRESHOLDS and 0.3 < chosen < 0.6
    around = [accuracy(t) for t in THRESHOLDS if abs(t - chosen) < 0.06]
    assert accuracy(chosen) == max(around) > accuracy(0.2)
    with pytest.raises(ValueError, match="no recordings"):
        best_threshold([])
