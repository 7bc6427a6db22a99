"""The training speed of a model of windows and of one of segments: what is built and timed, here on a CPU."""

import argparse
from dataclasses import replace

import pandas as pd
import pytest
from configs import make_config
from conftest import ROWS

from experiments.rows import protocol as read_protocol
from experiments.throughput import measure
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings


@pytest.mark.parametrize("model", measure.MODELS)
def test_a_row_of_the_table(model, small_set):
    """The paper's windows or the converged protocol's segments, few of them."""
    protocol = read_protocol(measure.MODELS[model], model)
    expected = make_config(f"protocol={measure.MODELS[model]}", f"model={model}").protocol
    assert protocol == expected and protocol.window == (65_536 if model in ("conv", "crnn") else 16_384)
    options = argparse.Namespace(model=model, precision="tf32", repeats=2, eager=False, bandwidth=1e9)
    train = Recordings(read_split(small_set, "train"))
    row = measure.measure(ROWS["mel-512-128"], train, replace(protocol, batch_size=2), options)
    assert tuple(row) == measure.COLUMNS
    assert (row["representation"], row["bins"], row["group"], row["ms_eager"]) == ("mel-512-128", 128, 1, "")
    assert 0 < row["features_ms"] < row["ms_per_step"]


def test_the_floor_of_the_linear_model():
    """That of results.csv, by the 3.0 TB/s of its machine: windows, features twice, weights six times."""
    row, protocol = ROWS["linear-256"], read_protocol("paper")
    module = measure.build(row, protocol, "linear", "tf32")
    weights = sum(parameter.numel() for parameter in module.parameters())
    assert weights == 129 * 33 * 128
    moved = measure.floor_bytes(row, protocol, weights)
    assert moved == 2 * 100 * 16_384 + 2 * 4 * 100 * 129 * 33 + 6 * 4 * weights
    table = pd.read_csv(measure.__file__.replace("measure.py", "results.csv"), index_col="representation")
    assert 1e3 * moved / 3.0e12 == pytest.approx(table.floor_ms["linear-256"], rel=0.02)


def test_a_model_of_segments_has_the_bias_of_its_protocol():
    module = measure.build(ROWS["cqt-12"], read_protocol("converged", "conv"), "conv", "tf32")
    assert all(module.model.outputs[head].bias is not None for head in ("frames", "onsets"))
    assert module.protocol.augment.on and module.segmental
