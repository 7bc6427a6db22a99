"""The scores of a recording, against mir_eval's regression pairs, scikit-learn and sums written out here."""

import json
import math
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import mir_eval
import numpy as np
import pytest
from conftest import ROOT
from sklearn.metrics import average_precision_score

from sweep.results.pool import start_pool
from sweep.results.scoring import (
    FRAME_SCORES,
    FREQUENCIES,
    average_precision,
    count,
    count_blocks,
    figures,
    mean_scores,
    score,
)

SHARED_DATA = Path(os.environ.get("SWEEP_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
PAIRS = SHARED_DATA / "mir_eval-multipitch"

MIR_EVAL_NAMES = {
    "precision": "Precision",
    "recall": "Recall",
    "accuracy": "Accuracy",
    "e_sub": "Substitution Error",
    "e_miss": "Miss Error",
    "e_fa": "False Alarm Error",
    "e_tot": "Total Error",
}
MIR_EVAL_NAMES |= {f"chroma_{ours}": f"Chroma {theirs}" for ours, theirs in MIR_EVAL_NAMES.items()}


def roll(*frames: dict[int, float]) -> np.ndarray:
    """A (frames, 128) piano roll from {note: value} for each frame."""
    values = np.zeros((len(frames), 128))
    for frame, notes in zip(values, frames, strict=True):
        frame[list(notes)] = list(notes.values())
    return values


def score_rolls(reference: np.ndarray, probability: np.ndarray, **settings: float) -> dict[str, float]:
    return score(reference > 0, probability, times=np.arange(len(reference)) / 100, **settings)


@pytest.mark.skipif(not PAIRS.is_dir(), reason=f"no {PAIRS}; SWEEP_SHARED_DATA names the folder that holds it")
@pytest.mark.parametrize("pair", range(5))
def test_figures_are_those_of_mir_evals_own_regression_pairs(pair):
    reference = mir_eval.io.load_ragged_time_series(str(PAIRS / f"ref{pair:02}.txt"))
    estimate = mir_eval.io.load_ragged_time_series(str(PAIRS / f"est{pair:02}.txt"))
    expected = json.loads((PAIRS / f"output{pair:02}.json").read_text())
    resampled = mir_eval.multipitch.resample_multipitch(*estimate, reference[0])
    actual = figures(*count(*reference, resampled))
    # The files hold 16 digits, so only rounding remains.
    assert actual == pytest.approx({ours: expected[theirs] for ours, theirs in MIR_EVAL_NAMES.items()}, abs=1e-12)


def test_scores_counted_by_hand():
    reference = roll({60: 1, 64: 1}, {60: 1}, {}, {48: 1, 50: 1}, {})
    probability = roll({60: 0.9, 64: 0.9}, {60: 0.3, 72: 0.8}, {67: 0.7}, {48: 0.3, 50: 0.3}, {})
    # Notes: 5 in the reference, 4 estimated (0.3 is not above 0.4), 2 of them right; 3 where octaves do not count.
    # Frame by frame: right, an octave too high (a substitution), a false alarm, two misses, silence.
    # Average precision: at 0.9 2 of 2 cells are right, at 0.3 5 of 7; no more notes come in between.
    expected = {
        "accuracy": 2 / 7,
        "precision": 2 / 4,
        "recall": 2 / 5,
        "f_measure": 4 / 9,
        "e_sub": 1 / 5,
        "e_miss": 2 / 5,
        "e_fa": 1 / 5,
        "e_tot": 4 / 5,
        "chroma_precision": 3 / 4,
        "chroma_recall": 3 / 5,
        "chroma_accuracy": 3 / 6,
        "chroma_e_sub": 0,
        "chroma_e_miss": 2 / 5,
        "chroma_e_fa": 1 / 5,
        "chroma_e_tot": 3 / 5,
        "average_precision": 2 / 5 * 1 + 3 / 5 * 5 / 7,
    }
    actual = score_rolls(reference, probability)
    assert actual.pop("blocks") == {"frames": [[2, 2, 2], [1, 1, 0], [0, 1, 0], [2, 0, 0], [0, 0, 0]]}
    assert list(actual) == list(expected) == list(FRAME_SCORES)
    assert actual == pytest.approx(expected)


@pytest.mark.parametrize(("seconds", "blocks"), [(95, 9), (61, 6), (20, 6), (0.03, 3)])
def test_counts_of_blocks_add_up_and_last_ten_seconds_or_a_sixth(seconds, blocks):
    times = np.arange(0, seconds, 0.01)
    parts = np.random.default_rng(0).integers(1, 5, (3, len(times)))
    found = np.array(count_blocks(times, *parts))
    assert found.shape == (blocks, 3)
    assert (found.sum(0) == parts.sum(1)).all()
    assert (found[0] == parts[:, : len(times) // blocks].sum(1)).all()


def test_a_note_is_estimated_only_above_the_threshold():
    reference = roll({60: 1, 64: 1})
    probability = roll({60: 0.5, 64: 0.75})
    assert score_rolls(reference, probability, threshold=0.5)["recall"] == 0.5
    assert score_rolls(reference, probability, threshold=0.25)["recall"] == 1.0


def test_multipitch_figures_leave_out_what_is_not_on_a_piano_and_average_precision_does_not():
    reference = roll({0: 1, 20: 1, 21: 1, 108: 1, 109: 1, 127: 1})
    probability = roll({0: 1, 20: 1, 21: 1, 108: 0, 109: 0, 127: 0})
    scores = score_rolls(reference, probability)
    assert (scores["precision"], scores["recall"]) == (1.0, 0.5)
    assert scores["average_precision"] == pytest.approx(3 / 6 * 1 + 3 / 6 * 6 / 128)


@pytest.mark.parametrize("reference_sounds", [False, True])
@pytest.mark.parametrize("estimate_sounds", [False, True])
def test_recordings_without_notes_score_without_a_warning(reference_sounds, estimate_sounds):
    reference, probability = roll({60: reference_sounds}, {}), roll({60: estimate_sounds}, {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = score_rolls(reference, probability)
    assert not caught
    found = float(reference_sounds and estimate_sounds)
    assert (scores["accuracy"], scores["f_measure"]) == (found, found)
    assert scores["e_miss"] == float(reference_sounds and not estimate_sounds)
    assert math.isnan(scores["average_precision"]) == (not reference_sounds)


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5, np.inf])
def test_what_is_no_probability_is_refused_with_its_place(value):
    reference, probability = roll({}, {}), roll({}, {60: value})
    with pytest.raises(ValueError, match=r"1 of 256 probabilities .* at frame 1, note 60"):
        score_rolls(reference, probability)


@pytest.mark.parametrize(("frames", "notes", "times"), [(3, 128, 2), (2, 88, 2), (2, 128, 3), (0, 128, 0)])
def test_shapes_that_do_not_fit_are_refused(frames, notes, times):
    with pytest.raises(ValueError, match="shape"):
        score(np.zeros((2 if frames else 0, 128), bool), np.zeros((frames, notes)), times=np.arange(times))


@pytest.mark.parametrize("kind", ["distinct", "ties", "one value", "all relevant", "one cell", "float32"])
def test_average_precision_is_scikit_learns(kind):
    generator = np.random.default_rng(0)
    relevant = generator.random((1 if kind == "one cell" else 500, 128)) < 0.05
    relevant.flat[0] = True
    ranking = np.clip(generator.normal(0.3 + 0.3 * relevant, 0.2), 0, 1)  # 0 and 1 themselves are ties
    if kind == "ties":
        ranking = ranking.round(1)
    elif kind == "one value":
        ranking[:] = 0.5
    elif kind == "all relevant":
        relevant[:] = True
    elif kind == "one cell":
        relevant, ranking = relevant[:, :1], ranking[:, :1]
    elif kind == "float32":
        ranking = ranking.astype(np.float32)
    expected = average_precision_score(relevant, ranking, average="micro")
    # Both sum up to 64,000 terms in float64.
    assert average_precision(relevant.ravel(), ranking.ravel()) == pytest.approx(expected, abs=1e-12)


def test_processes_count_what_one_does():
    generator = np.random.default_rng(0)
    reference = generator.random((2500, 128)) < 0.03
    probability = np.clip(generator.normal(0.1 + 0.5 * reference, 0.2), 0, 1)
    alone = score(reference, probability, times=np.arange(2500) / 100)
    assert score(reference, probability, times=np.arange(2500) / 100, pool=start_pool(2)) == alone
    frequencies = [[FREQUENCIES[notes] for notes in roll[:, 21:109]] for roll in (reference, probability > 0.4)]
    times = np.arange(2500) / 100
    whole = mir_eval.multipitch.metrics(times, frequencies[0], times, frequencies[1])
    assert alone["accuracy"] == whole[2] and alone["e_tot"] == whole[6] and alone["chroma_e_tot"] == whole[13]


def test_a_killed_process_costs_no_score_and_none_outlives_its_parent(tmp_path):
    reference = np.random.default_rng(0).random((1500, 128)) < 0.03
    expected = score(reference, reference * 0.9, times=np.arange(1500) / 100)
    pool = start_pool(2)
    os.kill(next(iter(pool._processes)), signal.SIGKILL)
    for _ in range(2):  # the broken pool is given up, and a run that still holds it counts by itself
        assert score(reference, reference * 0.9, times=np.arange(1500) / 100, pool=pool) == expected
    assert start_pool(2) is not pool

    (tmp_path / "parent.py").write_text(
        "import os, signal, time\nfrom sweep.results.pool import start_pool\n"
        "if __name__ == '__main__':\n    pool = start_pool(2)\n"
        "    list(pool.map(abs, [1, 2]))\n    print(*pool._processes, flush=True)\n    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True, env=environment
    )
    children = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("end", ["", "; stop_pools(); os._exit(0)"], ids=["by itself", "by os._exit"])
def test_a_process_that_has_a_pool_ends_and_leaves_nothing(end, tmp_path):
    (tmp_path / "parent.py").write_text(
        "import multiprocessing, os\nfrom sweep.results.pool import start_pool, stop_pools\n"
        f"def work():\n    list(start_pool(2).map(abs, [1, 2])){end}\n"
        "if __name__ == '__main__':\n    process = multiprocessing.get_context('spawn').Process(target=work)\n"
        "    process.start()\n    process.join()\n    raise SystemExit(process.exitcode)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, tmp_path / "parent.py"]
    done = subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True, text=True)
    assert "leaked" not in done.stderr


def test_mean_is_unweighted_and_leaves_out_what_is_not_defined():
    recordings = [
        {"recall": 0.5, "note_f1": 0.25, "e_sub": math.nan, "blocks": {}},
        {"recall": 1.0, "note_f1": math.nan, "e_sub": None, "blocks": {}},
    ]
    means = mean_scores(iter(recordings))
    assert (means["recall"], means["note_f1"]) == (0.75, 0.25)
    assert math.isnan(means["e_sub"]) and "blocks" not in means
    with pytest.raises(ValueError, match="no recordings"):
        mean_scores([])


def test_a_script_is_not_imported_by_the_processes_that_count(tmp_path):
    """It may import torch; a process imports the main module of the one that starts it unless that is hidden."""
    (tmp_path / "script.py").write_text(
        "import os\nopen('imported', 'a').write(f'{__name__} ')\n"
        "if __name__ == '__main__':\n"
        "    from sweep.results.pool import start_pool\n"
        "    print(sorted(set(start_pool(2).map(abs, [-1, -2]))))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "script.py"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "[1, 2]\n"), ended.stderr
    assert (tmp_path / "imported").read_text() == "__main__ "
