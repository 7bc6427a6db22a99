"""The values of `sweep.compare`: read as they are, and answered in one line where they are wrong."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from test_compare import SHORT, error_of

from sweep.commands import train
from sweep.commands.compare import _word
from sweep.scheduling.plan import compose_runs


@pytest.fixture
def tiny(small_set, tmp_path, monkeypatch):
    """The keys of a short call, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return {"data": "musicnet", "data__root": small_set, **SHORT}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        (True, True),
        (np.bool_(False), False),
        (7, 7),
        (np.int64(7), 7),
        (torch.tensor(3), 3),
        (1e-05, 1e-05),
        (np.float32(0.5), 0.5),
        (-math.inf, -math.inf),
        (Path("a b") / "é,曲", "a b/é,曲"),
        *((text, text) for text in ("", "null", "true", "1e3", "a,b", "${seed}", r"\${seed}", "'\"\\", "[a]", "{a:1}")),
        *((text, text) for text in ("x\ny", " x ", "glob(*)", "~/music", "a=b", "#", "\\", '\\"')),
        (("kaiser", 14.0), ["kaiser", 14.0]),
        ((), []),
        (("module load cuda", ("a,b",)), ["module load cuda", ["a,b"]]),
        (
            {"constraint": "a100,h100", "n-tasks": 2, "none": None},
            {"constraint": "a100,h100", "n-tasks": 2, "none": None},
        ),
    ],
    ids=str,
)
def test_a_value_is_read_as_it_is(value, read):
    parsed = OverridesParser.create().parse_override(_word("key", value))
    assert not parsed.is_sweep_override()
    tree = OmegaConf.to_container(OmegaConf.create({"seed": 5, "key": parsed.value()}), resolve=True)
    assert tree["key"] == read and type(tree["key"]) is type(read)
    several = OverridesParser.create().parse_override(_word("key", [value, value]))
    assert several.is_sweep_override() and len(several.value().list) == 2


def test_a_list_gives_several_values_but_of_the_cluster():
    assert _word("threshold", [0.3, "tuned"]) == 'threshold=0.3,"tuned"'
    assert _word("cluster.setup", ["module load cuda"]) == 'cluster.setup=["module load cuda"]'


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"rows": "cqt-4"}, ["representation=cqt-4"]),
        ({"model": "linaer"}, ["model=linaer"]),
        ({"data": "folder"}, ["data=folder"]),
        ({"protocol__stepz": 3}, ["protocol.stepz=3"]),
        ({"protocol.steps": 0}, ["protocol.steps=0"]),
        ({"protocol__steps": "many"}, ["protocol.steps=many"]),
        ({"cluster": "gpus"}, ["cluster=gpus"]),
        ({"hydra/launcher": "basic", "threshold": 3}, ["hydra/launcher=basic", "threshold=3"]),
        ({"seeds": [-1]}, ["seed=-1"]),
    ],
    ids=str,
)
def test_an_error_is_the_command_lines_own(keys, words, tiny, monkeypatch):
    keys = dict(keys)
    row = keys.pop("rows", "cqt-12")
    monkeypatch.setattr("sys.argv", ["sweep"])
    given = ["data=musicnet", f"data.root={tiny['data__root']}", "device=cpu"]
    with pytest.raises(ValueError) as caught:
        asked = train.ask([f"representation={row}", *given, *words])
        train.cluster_config(asked.config)
        compose_runs(asked)
    assert error_of(row, **{**tiny, **keys}) == str(caught.value)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model": "cnn,linear"}, "model=cnn,linear: no such option; did you mean linear?"),
        ({"seed": 1}, "seed (1): unknown key; did you mean seeds?"),
        ({"representation": "cqt-12"}, "representation (cqt-12): unknown key; did you mean representations?"),
        ({"seeds": 0}, "seeds 0: needs a number of seeds, at least 1, or a list of seeds"),
        ({"seeds": True}, "seeds True: needs a number of seeds, at least 1, or a list of seeds"),
        ({"seeds": 1.5}, "seeds 1.5: needs a number of seeds, at least 1, or a list of seeds"),
        ({"seeds": []}, "seed []: no run; choose at least one value"),
        ({"--help": 1}, "--help (1): unknown key; a key is written like protocol__steps"),
        ({"~seed": 1}, "~seed (1): unknown key; a key is written like protocol__steps"),
        ({"runs": b"x"}, "runs b'x': needs None, a bool, a number, a text, or a list or dict of them"),
        (
            {"cluster__extra": {"a b": 1}},
            "cluster.extra {'a b': 1}: needs names of letters, digits, - and _ in a mapping",
        ),
        (
            {"runs": ["a", "b"]},
            "a/tiny/quick, b/tiny/quick: a report is of one folder; call compare once for each data and protocol",
        ),
        (
            {"protocol": ["quick", "converged"], "device": "cpu"},
            "runs/tiny/quick, runs/tiny/converged: a report is of one folder; call compare once for each data and "
            "protocol",
        ),
    ],
    ids=str,
)
def test_an_error_of_its_own_is_one_line(keys, message, tiny):
    assert error_of("cqt-12", **{**tiny, **keys}) == message
    assert not Path("runs").exists() and not Path("a").exists()
