"""The experiment on the ways back runs from its command: each method has a row with a time, or the reason why not."""

import csv
import math
import sys

import pytest

from experiments.inverse import measure, peers, tables


@pytest.fixture(scope="module")
def measured(small_set, tmp_path_factory):
    """What the command prints of one clip of half a second, and the rows that it writes."""
    out = tmp_path_factory.mktemp("inverse") / "results-cpu.csv"
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        words = [str(small_set), "--device", "cpu", "--clips", "1", "--rounds", "1", "--budget", "0", "--out", str(out)]
        patched.setattr(sys, "argv", ["measure", *words])
        patched.setattr(measure, "SECONDS", 0.5)
        patched.setattr(measure, "print", printed.append, raising=False)
        measure.main()
    with out.open(newline="") as file:
        return "\n".join(printed), list(csv.DictReader(file)), out


def test_every_method_has_a_row_with_a_time_or_a_reason(measured):
    _, rows, _ = measured
    assert tuple(rows[0]) == measure.COLUMNS
    settings = {row["settings"]: row["part"] for row in rows}
    assert list(settings.values()) == ["constant-Q"] * 3 + ["Griffin-Lim", "mel"]
    for name, part in settings.items():
        found = [(row["method"], row["n_iter"]) for row in rows if row["settings"] == name]
        assert found == [(method.name, str(method.n_iter)) for method in peers.METHODS[part]]
    for row in rows:
        assert bool(row["ms"]) != bool(row["reason"]), row
        assert row["ms"] or not row["method"].startswith("ours"), row


def test_ours_are_as_near_as_the_others_or_nearer(measured):
    _, rows, _ = measured
    scored = {"constant-Q": "ratio_db", "Griffin-Lim": "convergence", "mel": "convergence"}
    by = {(row["settings"], row["method"], row["n_iter"]): row for row in rows if row["ms"]}
    for (settings, method, n_iter), row in by.items():
        ours = by[settings, "ours", "32 at most" if row["part"] == "constant-Q" else n_iter or "32"]
        score, best = (float(it[scored[row["part"]]]) for it in (row, ours))
        assert math.isfinite(score)
        if not method.startswith("ours"):
            assert best > score if row["part"] == "constant-Q" else best < 1.5 * score, row  # 1.3: phases are random


def test_the_tables_hold_the_rows(measured):
    printed, rows, out = measured
    assert printed.strip() == tables.report(out).strip()
    assert printed.startswith("1 clips of 0.5 s, ")
    for row in rows:
        assert f"| {row['method']} |" in printed if row["ms"] else f"{row['method']}: {row['reason']}" in printed
    assert printed.count("| method |") == 5
