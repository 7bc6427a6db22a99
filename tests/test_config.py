"""The configuration of a run: every field checked and described, identities that differ where results may, folders."""

import ast
import copy
import dataclasses
import inspect
import itertools
import json
from pathlib import Path

import pytest
from configs import changed, make_config
from conftest import ROOT

from sweep import engines, row
from sweep.config import (
    ACCURACIES,
    Augment,
    Control,
    Data,
    DataSet,
    FrontEnd,
    HostCluster,
    Logger,
    Model,
    OtherSet,
    Protocol,
    RunConfig,
    SlurmCluster,
    differences,
    identity,
)
from sweep.config.chosen import Chosen
from sweep.config.groups import Cluster
from sweep.config.run import ASIDE
from sweep.fields import Group, keys_of
from sweep.registry import compressions, families, levels, normalisations, stacks
from sweep.representations import Representation
from sweep.representations.step import Step

CONFIG = make_config("data.root=data/demo", "runs=out", "seed=3")
TRAINED = changed(CONFIG, frontend__trainable=True)
SLURM = make_config("cluster=slurm")
GROUPS = [Data, OtherSet, Augment, Protocol, Model, FrontEnd, Control, Logger, Cluster, HostCluster, SlurmCluster]
GROUPS.append(RunConfig)
FAMILIES = [families[name] for name in families.names()]


# The folder


def test_a_run_lies_where_its_choices_say():
    assert CONFIG.folder == Path("out/demo/quick/linear/cqt-48/seed-3")
    assert (CONFIG.table, CONFIG.row, CONFIG.variant) == (Path("out/demo/quick"), "cqt-48", "")
    chosen = changed(CONFIG, frontend__trainable=True, frontend__accuracy="high", threshold=0.5)
    assert chosen.folder == Path("out/demo/quick/linear/cqt-48+trainable+accuracy=high+threshold=0.5/seed-3")
    exact = changed(CONFIG, precision="float32", frontend__accuracy="high")  # what float32 implies
    assert exact.folder == Path("out/demo/quick/linear/cqt-48+precision=float32/seed-3")


def test_a_variant_says_each_choice_once_and_in_order():
    control = {"name": "capacity", "width": 256}
    assert changed(TRAINED, control=control, threshold=0.5).variant == "trainable+capacity+threshold=0.5"
    mel = make_config("representation=mel-512-128", "frontend.trainable=bank", "frontend.learning_rate=1e-3")
    assert mel.variant == "trainable=bank+frontend_rate=0.001"
    assert mel.row == "mel-512-128+trainable=bank+frontend_rate=0.001"


def test_no_two_variants_share_a_folder():
    precisions = ["float32", "tf32", "bfloat16"]
    choices = list(
        itertools.product([False, True], ["exact", "high", "fast"], precisions, [0.3, 0.30001, 0.4, "tuned"])
    )
    keys = ("frontend__trainable", "frontend__accuracy", "precision", "threshold")
    folders = {changed(CONFIG, **dict(zip(keys, values, strict=True))).folder for values in choices}
    assert len(folders) == len(choices)


def test_what_the_command_line_changes_is_kept_as_it_was_typed():
    config = make_config(
        *("representation.norm=none", "protocol.steps=5", "data.root=data/mine", "protocol.checkpoint_every=2"),
        *("++model.learning_rate=1e-3", "runs=out"),
    )
    assert config.changed == {"representation.norm": "none", "protocol.steps": "5", "model.learning_rate": "1e-3"}
    assert config.variant == "norm=none"  # another row than the one that it is named after
    assert config.model_row == "linear+learning_rate=1e-3"  # and another model
    assert config.changed_elsewhere == "protocol.steps=5"
    assert config.folder == Path("out/mine/quick/linear+learning_rate=1e-3/cqt-48+norm=none/seed-0")


# The identity

# Every key that changes no result, with another value.
ELSEWHERE = {
    "runs": "other",
    "device": "auto",
    "logger": {"name": "wandb", "project": "mine"},
    "overwrite": True,
    "keep_probabilities": True,
    "metric": "note_f1",
    "margin": 0.02,
    "cluster": {"name": "cpus", "processes": 2},
    "retry": 3,
    "workers": 0,
    "capture": False,
    "changed": {"data.validation": "0.1"},
    "data.root": "elsewhere",
    "data.cache": None,
    "data.placement": "host",
    "protocol.checkpoint_every": 7,
}


@pytest.mark.parametrize("key", ELSEWHERE)
def test_where_and_how_a_run_is_computed_is_not_its_identity(key):
    other = changed(CONFIG, **{key.replace(".", "__"): ELSEWHERE[key]})
    assert other != CONFIG and other.identity == CONFIG.identity


def test_there_is_no_other_key_that_changes_no_result():
    assert ASIDE == set(ELSEWHERE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.name", "other"),
        ("data.validation", 0.2),
        ("data.fingerprint", "abc"),
        ("protocol.steps", 7),
        ("model.learning_rate", 0.5),
        ("frontend.learning_rate", 0.5),
        ("representation.n_bins", 84),
        ("control", {"name": "capacity", "width": 9}),
        ("seed", 4),
        ("threshold", 0.5),
    ],
)
def test_what_decides_the_result_is_its_identity(key, value):
    other = changed(TRAINED, **{key.replace(".", "__"): value})
    assert other.identity != TRAINED.identity
    assert all(line.startswith(key) for line in differences(TRAINED.identity, other.identity))


def test_the_identity_is_all_of_the_record_but_what_changes_no_result():
    record = CONFIG.record()
    assert identity(record) == CONFIG.identity == identity(json.loads(json.dumps(record)))
    flat = dict(record)
    while groups := {name: keys for name, keys in flat.items() if isinstance(keys, dict)}:
        flat = {name: value for name, value in flat.items() if name not in groups}
        flat |= {f"{name}.{key}": value for name, keys in groups.items() for key, value in keys.items()}
    kept = {key: value for key, value in flat.items() if not {key, key.partition(".")[0]} & ASIDE}
    assert CONFIG.identity == kept and {"protocol.steps", "representation.norm", "seed"} <= set(kept)


def test_a_step_named_on_the_command_line():
    """Another step has its own usual keys; the row's own step keeps the row's keys; a mapping would mix both."""
    place = "representation.compression"
    other = make_config("representation=onsets-frames", f"{place}.name=db", f"+{place}.of=power")
    assert other.representation.compression.record() == {
        **{"name": "db", "of": "power", "offset": 0.0, "floor": 1e-10, "reference": 1.0, "range": None, "over": "clip"}
    }
    assert other.variant == "compression.name=db+compression.of=power"
    same = make_config("representation=transkun", "representation.normalisation.name=affine")
    assert same.representation.normalisation.shift == pytest.approx(11.5129, abs=1e-4)
    offset = make_config("representation=ymt3", "representation.normalisation.offset=0.5")
    assert offset.representation.normalisation.record() == {"name": "minmax", "offset": 0.5, "over": "clip"}
    none = make_config("representation=madmom-rnn", "representation.stack.name=none")
    assert none.representation.bins == 241
    with pytest.raises(ValueError, match=r"^representation\.compression=.*: needs its keys one by one, "):
        make_config("representation=onsets-frames", "representation.compression={name: db}")


def test_differences_name_the_key_and_both_values():
    old = changed(CONFIG, representation__n_bins=84).identity
    new = changed(CONFIG, frontend__trainable=True).identity | {"retry": None}
    del new["threshold"]
    assert sorted(differences(old, new)) == [
        "frontend.trainable: false -> true",
        "representation.n_bins: 84 -> 336",
        "retry: (absent) -> null",
        "threshold: 0.4 -> (absent)",
    ]
    assert differences(CONFIG.identity, copy.deepcopy(CONFIG.identity)) == []


# The record


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["representation=mel-512-128", "frontend.trainable=bank", "control=capacity", "threshold=tuned"],
        ["data=folder", "data.root=mine", "protocol=paper", "model=cnn", "logger=wandb", "cluster=slurm"],
        ["representation=log-256", "representation.n_bins=40", "precision=float32", "cluster=cpus"],
    ],
)
def test_a_record_gives_the_configuration_again(overrides):
    config = make_config(*overrides)
    again = RunConfig.from_tree(json.loads(json.dumps(config.record())))
    assert again == config and again.record() == config.record()
    assert (again.identity, again.folder, again.cost) == (config.identity, config.folder, config.cost)


@pytest.mark.parametrize("overrides", [["representation=linear-512"], ["cluster=slurm", "control=capacity"]])
def test_nothing_of_a_configuration_can_be_set(overrides):
    config = make_config(*overrides)
    parts = [getattr(config, field.name) for field in keys_of(RunConfig)]
    for group in [config, *(part for part in parts if isinstance(part, Group))]:
        for field in keys_of(type(group)):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(group, field.name, getattr(group, field.name))


def test_what_follows_from_other_keys():
    assert make_config().frontend.accuracy == "fast"
    assert make_config("precision=float32").frontend.accuracy == "high"
    assert make_config("frontend.learning_rate=1e-3").frontend.learning_rate is None  # of no trained kernels
    assert make_config("data=folder", "data.root=some/where/").data.name == "where"
    assert make_config("protocol=paper").data.validation == 0


# What is said of the fields


def documented(cls: type) -> dict[str, str | None]:
    """The annotated names in a class's own body, and the string under each."""
    (body,) = ast.parse(inspect.cleandoc(inspect.getsource(cls))).body
    found: dict[str, str | None] = {}
    for statement, following in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            told = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            found[statement.target.id] = following.value.value if told else None
    return found


STEPS = [cls for known in (levels, compressions, normalisations, stacks) for cls in known.values()]


@pytest.mark.parametrize("cls", [*GROUPS, Representation, *FAMILIES, *STEPS], ids=lambda cls: cls.__name__)
def test_every_field_has_a_sentence_under_it(cls):
    said: dict[str, str | None] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Group):
            said |= {name: text for name, text in documented(base).items() if text is not None}
    for field in keys_of(cls):
        key = field.metadata["key"]
        if key.groups is None:
            text = said.get(field.name)
            assert text and text.strip() == text and text.endswith(".") and len(text) > 4, (cls, field.name, text)
            assert key.takes, field.name
        else:  # it says so itself
            assert all(group.__doc__ for group in key.groups.values())


def test_no_group_is_forgotten_here():
    def below(cls: type) -> set[type]:
        return {cls}.union(*(below(other) for other in cls.__subclasses__()))

    found = {cls for cls in below(Group) if cls.__module__.startswith("sweep.")} - {Group, Chosen, DataSet}
    assert found - below(Representation) - below(Step) == set(GROUPS)
    assert set(FAMILIES) <= below(Representation) and set(FAMILIES) == {
        type(row(path.stem)) for path in (ROOT / "conf" / "representation").glob("*.yaml")
    }


def test_the_accuracies_are_those_of_the_engines():
    """Written twice, because a configuration is checked without torch."""
    assert tuple(engines.ACCURACIES) == ACCURACIES


def test_typed_keys_of_the_data_make_another_set_with_a_table_of_its_own():
    """In one order whatever the command line's; where files lie, and what is held out, does not count."""
    plain = make_config("data=maps", "data.root=/d/maps", "data.validation=0.2", "data.cache=null")
    assert plain.data_row == "maps" and plain.changed_elsewhere == "data.validation=0.2"
    one, other = (
        make_config("data=maps", "data.root=/d/maps", *words)
        for words in (("data.shift=0.02", "data.labels=midi"), ("data.labels=midi", "data.shift=0.02"))
    )
    assert one.data_row == other.data_row == "maps+labels=midi+shift=0.02" and one.changed_elsewhere == ""
    assert one.folder == other.folder and one.table.parts == ("runs", "maps+labels=midi+shift=0.02", "quick")
    aligned = make_config("data=musicnet", "data.labels=midi", "data.labels_root=/d/em")
    assert aligned.data_row == "musicnet+labels=midi"
    assert not [key for key in aligned.identity if key.endswith("root")]
