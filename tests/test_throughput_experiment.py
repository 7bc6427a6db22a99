"""The training speed of a model of windows and of one of segments: what is built and timed, here on a CPU."""

import argparse
from dataclasses import replace

import pandas as pd
import pytest
from configs import make_config, make_result
from conftest import ROWS

from experiments.collecting import finished
from experiments.rows import protocol as read_protocol
from experiments.throughput import measure, start
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.results.result import write_result


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


def test_the_parts_of_finished_runs_beside_their_steps(tmp_path):
    for name, setup in (("cqt-12", 9.0), ("mel-512-128", 0.5)):
        seconds = {"setup": setup, "training": 3.0, "scoring": 0.25}
        config = {"protocol": {"steps": 1000}, "representation": {"name": name}}
        made = make_result(name, seconds=seconds, config=config, data="d", protocol="paper")
        write_result(tmp_path / "d/paper/linear" / name / "seed-0", made)
    (tmp_path / "steps.csv").write_text("representation,ms_per_step\ncqt-12,0.5\nmel-512-128,0.25\n")
    (sweep,), _ = finished([tmp_path])
    text = start.within(sweep, tmp_path / "steps.csv")
    assert "| setup | 9.00 | 9.5 | 4.75 |" in text and "| scoring | 0.25 | 0.5 | 0.25 |" in text
    assert text.endswith("Steps of these 2 rows alone, by steps.csv: 0.8 s.")


def test_what_precedes_a_run_is_timed_in_a_process_of_its_own():
    found = start.phases({"waiting": "import time; time.sleep(0.1)", "working": "sum(range(3_000_000))"})
    assert found["waiting"][0] >= 0.1 > found["waiting"][1] and found["working"][1] > 0
    assert "| waiting | 0.1" in start.before(found)
