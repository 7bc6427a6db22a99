"""The norms of the constant-Q transform side by side: what the collector makes of real runs."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from experiments.protocols.norms import collect, markdown
from sweep.data.sources.demo import make_demo


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two norms under both protocols, one step each."""
    folder = tmp_path_factory.mktemp("norms")
    make_demo(folder / "music", train=1, test=1, seconds=3)
    size = ["protocol.steps=1", "protocol.batch_size=2", "protocol.scored_windows=20", "protocol.checkpoint_every=1"]
    command = [sys.executable, "-m", "sweep", "representation=cqt-12", "representation.norm=sqrt_length,n_fft"]
    command += ["protocol=paper,converged", *size, "data=musicnet", f"data.root={folder / 'music'}", "logger=none"]
    command += [f"runs={folder / 'runs'}", f"data.cache={folder / 'cache'}", "device=cpu", "workers=0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "music"


def test_each_norm_has_a_row_with_both_protocols(runs):
    scores = collect(runs)
    assert scores[["representation", "norm"]].values.tolist() == [["cqt-12", "sqrt_length"], ["cqt-12", "n_fft"]]
    assert scores.accuracy_paper.notna().all() and scores.accuracy_converged.notna().all()
    assert (scores.seeds_paper == 1).all()
    lines = markdown(scores).splitlines()
    assert lines[2].startswith("| cqt-12 | sqrt_length | 0.") and lines[3].count("+") + lines[3].count("-") >= 2


def test_a_protocol_that_has_not_run_says_so(runs, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "converged").symlink_to(runs / "converged")
    assert markdown(collect(tmp_path / "music")).count("| not run |") == 2
    with pytest.raises(ValueError, match="no finished constant-Q runs in paper or converged; run the sweep first"):
        collect(tmp_path / "nothing")
