"""The sub-commands: what can be chosen, what a sweep would take, and the help of each."""

import subprocess
import sys

import pytest
from configs import make_config, make_result
from conftest import ROOT
from test_app import files

from sweep.__main__ import main
from sweep.commands import parser
from sweep.registry import models
from sweep.results.result import write_result
from sweep.training.building import build_transcriber, count_weights

# sweep plan


@pytest.fixture
def words(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.setattr("sys.argv", ["sweep"])
    return [f"runs={tmp_path / 'runs'}", "device=cpu", "representation=linear-256,mel-512-128", "seed=0,1"]


def planned(words: list[str], capsys) -> tuple[list[list[str]], list[str]]:
    """The cells of each run and the lines around them."""
    assert parser.main(["plan", *words]) == 0
    title, heading, _, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["run", "state", "time", "weights", "disk", "GPU", "memory"]
    rows = [line for line in lines if line.startswith(("linear-", "mel-"))]
    cells = [[cell for cell in row.split("  ") if cell] for row in rows]
    return [[cell.strip() for cell in row] for row in cells], [title, *(line for line in lines if line not in rows)]


def test_a_plan_of_what_nobody_measured(words, capsys, tmp_path):
    rows, lines = planned(words, capsys)
    assert lines[0] == f"{tmp_path / 'runs/demo/quick'}: 4 runs"
    assert [row[:3] for row in rows] == [
        [f"{name} seed-{seed}", "to do", "not measured"] for name in ("linear-256", "mel-512-128") for seed in (0, 1)
    ]
    for row, bins in zip(rows, (129, 129, 128, 128), strict=True):
        weights = 33 * bins * 128 + 128  # of a linear model of 33 frames with its bias
        features = 4 * 64 * bins * 33
        memory = 16 * weights + 2 * 10 * features
        assert row[3:] == [f"{weights:,}", f"{4 * weights / 1e6:.1f} MB", f"{memory / 1e6:.1f} MB"]
    assert "time for one process: not measured yet" in lines
    disk = 2 * 4 * (33 * (129 + 128) * 128 + 2 * 128) / 1e6
    assert any(line.startswith(f"disk: {disk:.1f} MB of trained weights") for line in lines)
    assert not list(tmp_path.iterdir())  # it writes nothing


def test_a_plan_by_what_was_measured(words, capsys, tmp_path):
    """129 bins took 20 s, so 128 take between 20 s and 128/129 of that: the middle."""
    config = make_config(*words[:2], "representation=linear-256", "seed=0")
    seconds = {"setup": 1000.0, "training": 3600.0, "scoring": 400.0}
    write_result(config.folder, make_result("linear-256", config=config.record(), seconds=seconds))
    resumed = make_config(*words[:2], "representation=mel-512-128", "seed=1")
    short = {"setup": 1.0, "training": 1.0, "scoring": 1.0}
    made = make_result("mel-512-128", config=resumed.record(), seconds=short, resumed_from=50)
    write_result(resumed.folder, made)  # whose last call is known only
    before = files(tmp_path)
    rows, lines = planned(words, capsys)
    assert [row[:3] for row in rows] == [
        ["linear-256 seed-0", "done", f"{33 * 129 * 128 + 128:,}"],  # takes no time any more
        ["linear-256 seed-1", "to do", "1 h 7 min"],
        ["mel-512-128 seed-0", "to do", "1 h 6 min"],
        ["mel-512-128 seed-1", "done", f"{33 * 128 * 128 + 128:,}"],
    ]
    assert "time for one process: 2 h 13 min" in lines
    assert files(tmp_path) == before


def test_a_plan_has_a_table_for_each_protocol(words, capsys, tmp_path):
    assert parser.main(["plan", *words[:2], "protocol=quick,paper", "representation=mel-512-128"]) == 0
    titles = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(tmp_path))]
    assert titles == [f"{tmp_path / 'runs/demo' / protocol}: 1 runs" for protocol in ("quick", "paper")]


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["model=cnn"],
        ["model=conv"],
        ["model=crnn"],
        ["control=capacity"],
        ["protocol=paper"],
        ["frontend.trainable=true"],
        ["frontend.trainable=bank"],
    ],
)
def test_the_weights_of_a_plan_are_those_that_are_trained(overrides):
    import torch

    config = make_config("representation=mel-512-128", *overrides)
    heads = models[config.model.name].HEADS
    bias = {head: torch.zeros(128) for head in heads} if config.protocol.output_bias else None
    built = build_transcriber(config, bias)
    assert count_weights(config) == sum(weights.numel() for weights in built.parameters() if weights.requires_grad)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["protocol.steps=0"], "protocol.steps 0: needs a whole number of at least 1"),
        (["protocol.batch_size=4,8"], "two runs of this sweep would share "),
        (["+protocol.stepz=3"], "protocol.stepz (3): unknown key; did you mean steps?"),
    ],
)
def test_a_wrong_word_of_a_plan_is_said(words, capsys, wrong, said):
    assert parser.main(["plan", *words[:2], *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sweep plan: ") and said in error and "Traceback" not in error


def test_an_unknown_option_of_a_plan_is_answered_as_that_of_a_sweep(words, capsys):
    assert parser.main(["plan", *words[:2], "representation=mel-1"]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("sweep plan: representation=mel-1: no such option; did you mean mel-")


# The help


@pytest.mark.parametrize("name", parser.COMMANDS)
def test_each_command_has_a_help(name, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.main([name, "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: sweep {name} ") and "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 120
    with pytest.raises(SystemExit) as caught:
        parser.main([name, "--no-such-option"] if name != "plan" else ["data"])
    assert caught.value.code == 2


def test_the_help_of_a_sweep_names_every_command():
    ended = subprocess.run([sys.executable, "-m", "sweep", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0 and ended.stderr == ""
    assert "sweep" in ended.stdout and "+grid=all" in ended.stdout
    (line,) = [line for line in ended.stdout.splitlines() if "sweep COMMAND --help" in line]
    assert line.partition("--help")[2].strip().split(", ") == list(parser.COMMANDS)


def test_a_command_is_run_by_its_name_and_nothing_heavy_is_imported_for_another():
    code = (
        "import sys; sys.argv = ['sweep', 'list', 'protocol']\nfrom sweep.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    print(stop.code)\n"
        "print(sorted({'torch', 'lightning', 'pandas', 'matplotlib'} & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ended.stderr == "" and ended.stdout.startswith("protocol=\n")
    assert ended.stdout.endswith("\n0\n[]\n")


@pytest.mark.parametrize("word, said", [("reprot", "did you mean report?"), ("xyz", "there is plan, status, report")])
def test_a_mistyped_command_is_answered_with_the_one_that_was_meant(monkeypatch, word, said):
    monkeypatch.setattr(sys, "argv", ["sweep", word, "runs"])
    with pytest.raises(SystemExit, match=f"^sweep: {word}: no such command; {said.replace('?', '[?]')}"):
        main()
