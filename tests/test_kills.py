"""A sweep that is killed goes on and ends as one that was not; a longer one: python -m experiments.resilience.kill."""

import random
import sys

import pytest
from test_app import SHORT

from experiments.resilience.kill import checkpointing, compare, scoring, training
from sweep.data.sources.demo import make_demo


@pytest.mark.long  # five sweeps one after the other
def test_a_killed_sweep_ends_as_one_that_was_not(tmp_path):
    root = tmp_path / "tiny"
    make_demo(root, train=3, test=2, seconds=4)
    command = [sys.executable, "-m", "sweep", *SHORT, "representation=linear-256", "data=musicnet", "data.cache=null"]
    command += [f"data.root={root}", "protocol.steps=60", "workers=0"]
    outcome = compare([training, checkpointing, scoring], random.Random(0), tmp_path, command)
    assert outcome["differences"] == [] and outcome["files not accounted for"] == []
    assert sum(outcome["kills"].values()) == 3 and outcome["kills"].get("ended before", 0) < 2
    assert outcome["attempts that resumed above 0"] >= 2
