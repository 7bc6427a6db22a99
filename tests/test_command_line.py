"""The words of a command line: taken as they were typed, or answered with one line that names key, value and remedy."""

import copy
import functools
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from configs import changed, make_config, make_result
from conftest import ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from sweep.__main__ import main
from sweep.commands import train
from sweep.config import RunConfig
from sweep.config.conf import CONF
from sweep.config.words import as_typed, explain, quoted
from sweep.results.result import write_result
from sweep.scheduling.plan import compose_runs

CONFIG = make_config("data.root=data/demo", "runs=out")
FOLDERS = ("runs", "data.root", "data.cache")
KEYS = [
    *("runs", "data.root", "data.cache", "+data.name", "seed", "threshold", "precision", "device", "workers", "retry"),
    *("protocol.steps", "protocol.window", "protocol.learning_rate", "model.learning_rate", "representation.f_min"),
    *("representation.window", "representation.n_bins", "representation.hop_length", "frontend.trainable"),
    *("frontend", "logger", "logger.name", "control.name", "representation", "data", "sead", "+a.b", "+data"),
]
VALUES = st.one_of(
    st.text(st.characters(codec=None, exclude_characters="\0"), max_size=30),
    st.text(st.sampled_from("01.eE+-_/\\'\"[](){}$,=~ #%:;&*?!@^|<>\n\x1b\udcffé曲"), max_size=12),
    st.sampled_from(
        ["null", "true", "1e3", "20241126", "2024-11-26", "..", "../../x", "nan", "inf", "-0", "0x10", "1_0"]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["x" * 300, "9" * 400, "../" * 200, "[" * 60, "${" * 40, "a," * 100]),
)
QUICK = settings(max_examples=100, deadline=None, derandomize=True)
MANY = settings(max_examples=3000, deadline=None, derandomize=True)


@pytest.fixture(autouse=True)
def words_of_their_own(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["sweep"])
    monkeypatch.chdir(tmp_path)


def asked(*words: str) -> list[RunConfig]:
    """The runs that `sweep WORD ...` would start."""
    return [run.config for run in compose_runs(train.ask(list(words)))]


def error_of(*words: str) -> str:
    with pytest.raises(ValueError) as caught:
        asked(*words)
    return str(caught.value)


@functools.cache
def parser() -> OverridesParser:
    return OverridesParser.create()


def check(word: str) -> None:
    """A word is refused in one line, or gives a run that lies inside runs/ at the usual depth, with the same record."""
    key, _, value = word.partition("=")
    try:
        try:
            override = parser().parse_override(as_typed(word))
        except (HydraException, RecursionError) as error:
            text = explain(error, [word])
            assert text.isprintable() and len(text) < 2000 and key in text
            return
        if override.is_sweep_override():
            return
        tree = OmegaConf.create({"value": override.value()})
        record = copy.deepcopy(CONFIG.record())
        del record["data"]["name"]
        *parents, last = key.lstrip("+").split(".")
        section = functools.reduce(lambda part, name: part.setdefault(name, {}), parents, record)
        section[last] = OmegaConf.to_container(tree, resolve=True)["value"]
        if parents == ["representation"]:
            record["changed"] = {key: value}
        config = RunConfig.from_tree(record)
    except ValueError as error:  # of OmegaConf, too, which the composition words anew
        if type(error) is ValueError:
            text = str(error)
            assert text.isprintable() and len(text) < 2000, text
        return
    root = Path(config.runs)
    assert config.folder.relative_to(root).parts[:2] == config.table.parts[-2:]
    assert len(config.folder.parts) == len(root.parts) + 5 and ".." not in config.folder.parts[-5:]
    assert all(len(os.fsencode(part)) <= 255 for part in config.folder.parts)
    assert RunConfig.from_tree(config.record()) == config


@QUICK
@given(st.sampled_from(KEYS), VALUES)
@example("runs", "20241126")
@example("representation.f_min", "440/16")
@example("representation.n_bins", "9" * 400)
@example("data.root", "\n")
def test_any_text_for_any_key(key, value):
    check(f"{key}={value}")


@pytest.mark.long
@MANY
@given(st.sampled_from(KEYS), VALUES)
def test_many_texts_for_any_key(key, value):
    check(f"{key}={value}")


def check_composed(key: str, value: str) -> None:
    """The same through Hydra, as the program calls it."""
    try:
        configs = asked(f"{key}={value}")
    except ValueError as error:
        assert str(error).isprintable() and len(str(error)) < 2000, str(error)
        return
    for config in configs:
        assert len(config.folder.parts) == len(Path(config.runs).parts) + 5
        assert RunConfig.from_tree(config.record()) == config


@settings(max_examples=4, deadline=None, derandomize=True)
@given(st.sampled_from(KEYS), VALUES)
def test_any_text_for_any_key_through_hydra(key, value):
    check_composed(key, value)


@pytest.mark.long
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(KEYS), VALUES)
def test_many_texts_for_any_key_through_hydra(key, value):
    check_composed(key, value)


@QUICK
@given(st.text(st.characters(codec=None), max_size=30) | st.text(st.sampled_from("\\'\"${}a,"), max_size=8))
def test_a_quoted_value_is_taken_literally(text):
    value = parser().parse_override(f"runs={quoted(text)}").value()
    assert OmegaConf.create({"runs": value}).runs == text


def read(word: str) -> list:
    """The values that Hydra reads from a word."""
    override = parser().parse_override(as_typed(word))
    return list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.value()]


NUMBERS = ["20241126", "1e3", "1_000", "true", "null", "2024-11-26", "007", "nan", "0.10", "None"]
ONE_MEANING = ["a=b", "(2020)", "takes [live]", "{a}", "Müller", "曲", "a#b%c:d", "a;b|c", "50 % & more!", "a~b"]


@pytest.mark.parametrize("name", [*NUMBERS, *ONE_MEANING])
def test_a_folder_is_called_as_it_was_typed(name):
    for key in ("runs", "data.root", "+data.name", "logger.project"):
        assert read(f"{key}={name}") == [None if name == "null" and key == "logger.project" else name]


def test_a_folder_called_like_a_number_through_hydra():
    (config,) = asked("runs=1e3", "data.root=20241126", "data.cache=null")
    assert (config.runs, config.data.root, config.data.name, config.data.cache) == ("1e3", "20241126", "20241126", None)
    assert [config.runs for config in asked("runs=2024,1e3,b")] == ["2024", "1e3", "b"]


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (config,) = asked(*(f"{key}=~/takes" for key in FOLDERS))
    home = str(tmp_path / "takes")
    assert (config.runs, config.data.root, config.data.cache, config.data.name) == (home, home, home, "takes")
    for key in FOLDERS:
        with pytest.raises(ValueError, match=f"{key} ~no_such_user/x: there is no such home folder; ./~no_such_user/x"):
            changed(CONFIG, **{key.replace(".", "__"): "~no_such_user/x"})


@pytest.mark.parametrize("word", ["runs=a=b,c", "data.root=[live]", "data.root=it's (1)", 'runs=5" (1)', "runs=${a b}"])
def test_an_ambiguous_folder_is_answered_with_its_quoting(word):
    text = error_of(word)
    key, _, value = word.partition("=")
    assert text.startswith(f"{key} {value}: ") and " as text it is written " in text
    (written,) = shlex.split(text.partition(" as text it is written ")[2])  # as a shell passes it on
    (found,) = read(written)
    assert OmegaConf.create({"value": found}).value == value


@pytest.mark.parametrize("key", ["compression.of", "level.name", "stack.lags", "normalisation.offset"])
def test_a_key_of_a_step_need_not_be_the_rows_own(key):
    assert as_typed(f"representation.{key}=1,2") == f"++representation.{key}=1,2"
    assert as_typed(f"+representation.{key}=x") == f"+representation.{key}=x"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["protocol.stepz=3"], "protocol.stepz (3): unknown key; did you mean protocol.steps?"),
        (["sead=3"], "sead (3): unknown key; did you mean seed?"),
        (["seed=0", "representaton=cqt-12"], "representaton (cqt-12): unknown key; did you mean representation?"),
        (["~thresold"], "thresold: unknown key; did you mean threshold?"),
        (["grid=all"], "grid=all: a grid is added with a plus, +grid=all"),
        (["+grid=al"], "+grid=al: no such option; did you mean all?"),
        (
            ["+grid=1"],
            "+grid=1: no such option; there is all, cqt, everything, families, knobs, linear, log, mel, smoke, ",
        ),
        (["logger=null"], "logger=null: no such option; there is csv, none, tensorboard, wandb"),
        (["data=1"], "data=1: no such option; there is demo, folder"),
        (["representation=cqt-12,ctq-24"], "representation=ctq-24: no such option; did you mean cqt-24?"),
        (["protocol=../quick"], "protocol=../quick: no such option; did you mean quick?"),
        (["frontend=null"], "frontend null: needs keys: frontend.trainable, frontend.learning_rate, frontend.accuracy"),
        (["seed=a=b"], "seed a=b: cannot be read, as text it is written 'seed=\"a=b\"'"),
        (["=3"], "=3: needs to be KEY=VALUE"),
        (["data.root"], "data.root: needs to be KEY=VALUE"),
        (["runs=${x}"], "runs: Interpolation key 'x' not found"),
        (["seed=glob(*)"], "seed=glob(*): no run; choose at least one value of each key"),
        (["data.root=/"], "data.root /: has no name of its own; give it one, +data.name=NAME"),
        (["representation.n_bins=1000000000000"], "n_bins 1000000000000: needs a number of at most 16,777,216"),
        (["representation.f_min=1e-300"], "f_min 1e-300: the longest kernel would have more than 2^30 samples"),
        (["data=folder", "data.root=nowhere"], "data.root nowhere: no such folder; correct data.root"),
    ],
)
def test_a_wrong_word_is_said_in_one_line(words, said, tmp_path):
    text = error_of(*words)
    assert said in text and text.isprintable()
    assert not list(tmp_path.iterdir())  # nothing was written


@pytest.mark.parametrize("option", [["--config-dir", "rows"], ["-cd", "rows"], ["--config-dir=rows"]])
def test_the_value_of_an_option_of_hydras_is_no_key(option):
    assert explain(ValueError("something else"), [*option, "seed=3"]) == "something else"
    assert explain(ValueError("something else"), [*option, "seed"]) == "seed: needs to be KEY=VALUE"


def test_options_of_the_files_are_those_that_are_listed():
    assert f"there is {', '.join(sorted(path.stem for path in (CONF / 'grid').glob('*.yaml')))}" in error_of("+grid=1")


def test_data_without_recordings_are_noticed_before_a_run_has_a_folder(tmp_path):
    (tmp_path / "music").mkdir()
    assert "music: holds neither train and test folders nor a split.csv" in error_of("data=folder", "data.root=music")
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def call(*words: str, **environment: str) -> subprocess.CompletedProcess:
    keys = {"capture_output": True, "env": {**os.environ, "PYTHONPATH": str(ROOT), **environment}}
    return subprocess.run([sys.executable, "-m", "sweep", *words], **keys)


@pytest.mark.parametrize(
    ("encoding", "written"), [("latin-1", b"?\xe9 ?"), ("ascii", b"?? ?"), ("utf-8", "曲é –".encode())]
)
@pytest.mark.parametrize("command", ["report", "status", "plan"])
def test_a_terminal_that_cannot_show_a_character_gets_another_one(encoding, written, command, monkeypatch, tmp_path):
    folder = tmp_path / "runs/曲é –/quick"
    write_result(folder / "linear/cqt-48/seed-0", make_result(data="曲é –"))
    words = {"report": ["runs", "--tables-only"], "status": ["runs"], "plan": ["+data.name=曲é –"]}[command]
    monkeypatch.setattr(sys, "argv", ["sweep", command, *words])
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(SystemExit) as caught:
        main()
    output.flush()
    assert caught.value.code == 0 and written in output.buffer.getvalue()


@pytest.mark.long
@pytest.mark.parametrize(
    "word",
    ["runs=Müller (2020) = [live]", "runs=\udcff", "runs=~/x", "runs=1e3", "+data.name=../..", "+data.name=a\nb%2F~"],
)
def test_awkward_folders_from_the_command_line_to_the_report(word, small_set, tmp_path):
    short = ["protocol.steps=2", "protocol.scored_windows=20", "protocol.validation_windows=2", "device=cpu"]
    words = ["data=musicnet", f"data.root={small_set}", "data.cache=null", "workers=0", *short, word]
    home = {"HOME": str(tmp_path / "home")}
    ended = call(*words, "representation=mel-512-128", **home)
    assert ended.returncode == 0 and ended.stderr == b"", ended.stdout + ended.stderr
    (found,) = tmp_path.rglob("result.json")
    root = found.parents[5]
    assert root.parent in (tmp_path, tmp_path / "home") and found.parent.name == "seed-0"
    ended = call(*words, "representation=mel-512-128", **home)
    assert ended.returncode == 0 and b"done before" in ended.stdout
    for command in ("status", "report"):
        ended = call(command, os.fsdecode(root), **home)
        assert ended.returncode == 0 and b"Traceback" not in ended.stderr, ended.stderr
