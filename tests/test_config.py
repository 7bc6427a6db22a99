"""The configuration of a run: every field checked and described, identities that differ where results may, folders."""

import ast
import copy
import dataclasses
import inspect
import itertools
import json
import math
from pathlib import Path

import pytest
from configs import changed, make_config
from conftest import ROWS
from hydra import compose, initialize_config_dir

from sweep import engines
from sweep.config import (
    ACCURACIES,
    Control,
    Data,
    FrontEnd,
    HostCluster,
    Logger,
    Model,
    Protocol,
    RunConfig,
    SlurmCluster,
    differences,
    identity,
)
from sweep.config.groups import CLUSTERS, Cluster
from sweep.config.hydra import CONF, cluster_config
from sweep.config.run import ASIDE
from sweep.fields import Group, keys_of
from sweep.registry import families
from sweep.representations import Representation

CONFIG = make_config("data.root=data/demo", "runs=out", "seed=3")
TRAINED = changed(CONFIG, frontend__trainable=True)
SLURM = make_config("cluster=slurm")
GROUPS = [Data, Protocol, Model, FrontEnd, Control, Logger, Cluster, HostCluster, SlurmCluster, RunConfig]
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
    assert config.changed_elsewhere == "protocol.steps=5 model.learning_rate=1e-3"
    assert config.folder == Path("out/mine/quick/linear/cqt-48+norm=none/seed-0")


# The identity

# Every key that changes no result, with another value.
ELSEWHERE = {
    "runs": "other",
    "device": "auto",
    "logger": {"name": "wandb", "project": "mine"},
    "overwrite": True,
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
    groups = {name: keys for name, keys in record.items() if isinstance(keys, dict)}
    flat = {name: value for name, value in record.items() if name not in groups}
    flat |= {f"{name}.{key}": value for name, keys in groups.items() for key, value in keys.items()}
    kept = {key: value for key, value in flat.items() if not {key, key.partition(".")[0]} & ASIDE}
    assert CONFIG.identity == kept and {"protocol.steps", "representation.norm", "seed"} <= set(kept)


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


# What is wrong with a configuration


def message(tree: dict) -> str:
    with pytest.raises(ValueError) as caught:
        RunConfig.from_tree(tree)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 1000
    return text


def with_value(config: RunConfig, key: str, value: object) -> dict:
    """A record with one key set, "protocol.steps" or "seed"."""
    record = copy.deepcopy(config.record())
    group, _, name = key.rpartition(".")
    (record[group] if group else record)[name] = value
    return record


WHOLE = (0, -1, 1.5, "many", True, None, [1], math.nan)
COUNT = (-1, 1.5, "many", True, None, [1])
POSITIVE = (0, -1, "much", True, None, [1], math.nan, math.inf)
SHARE = (-0.1, 1, "half", True, None, [0.5], math.nan)
TEXT = ("", 3, None, True, ["a"])
SWITCH = ("maybe", 1, 0, None, [True])
CHOICE = ("other", 1, None, True, ["auto"])


def but(values: tuple, *allowed: object) -> tuple:
    return tuple(value for value in values if not any(value is other for other in allowed))


# Values that no field of a group takes: all fields, but those which are groups.
WRONG = {
    "data": {
        "name": TEXT,
        "source": CHOICE,
        "root": TEXT,
        "cache": but(TEXT, None),
        "validation": SHARE,
        "placement": CHOICE,
        "fingerprint": but(TEXT, None),
    },
    "protocol": {
        "name": TEXT,
        **dict.fromkeys(("window", "steps", "batch_size", "checkpoint_every", "scored_windows"), WHOLE),
        **dict.fromkeys(("fixed_steps", "standardise", "validation_windows"), COUNT),
        **dict.fromkeys(("learning_rate", "loss_scale"), POSITIVE),
        **dict.fromkeys(("learning_rate_scaling", "schedule"), CHOICE),
        "output_bias": SWITCH,
        "validation": SHARE,
    },
    "model": {"name": CHOICE, "learning_rate": POSITIVE},
    "frontend": {
        "trainable": ("maybe", 1, 0, None, [True]),
        "learning_rate": but(POSITIVE, None),
        "accuracy": CHOICE,
    },
    "control": {"name": CHOICE, "width": WHOLE},
    "logger": {"name": CHOICE, "project": but(TEXT, None)},
    "cluster": {
        "name": CHOICE,
        "gpus": COUNT,
        **dict.fromkeys(("cpus", "timeout", "parallel"), WHOLE),
        **dict.fromkeys(("requeues", "grace"), COUNT),
        "memory": but(WHOLE, None),
        **dict.fromkeys(("partition", "account", "qos"), but(TEXT, None)),
        "setup": ("module load cuda", 3, {}),
        "extra": ("constraint", 3, []),
        "detach": SWITCH,
    },
    "": {
        "precision": CHOICE,
        "threshold": SHARE,
        "seed": (*COUNT, 2**63),
        "device": CHOICE,
        "capture": SWITCH,
        "workers": COUNT,
        "retry": COUNT,
        "overwrite": SWITCH,
        "runs": TEXT,
        "changed": ("a=b", None, []),
    },
}
CASES = [(group, key, value) for group, keys in WRONG.items() for key, found in keys.items() for value in found]
CLASSES = {"data": Data, "protocol": Protocol, "model": Model, "frontend": FrontEnd, "control": Control}
CLASSES |= {"logger": Logger, "cluster": SlurmCluster, "": RunConfig}


@pytest.mark.parametrize(("group", "key", "value"), CASES)
def test_a_wrong_value_is_said_with_its_key_and_the_remedy(group, key, value):
    base = SLURM if group == "cluster" else make_config_of(group)
    name = f"{group}.{key}" if group else key
    text = message(with_value(base, name, value))
    assert text.startswith(f"{name} {value}") or text.startswith(f"{name} {value!r}"), text
    assert any(remedy in text for remedy in (": needs ", ": choose one of ")), text


def make_config_of(group: str) -> RunConfig:
    """A configuration in which every key of a group counts."""
    return {"frontend": TRAINED, "control": CAPACITY}.get(group, CONFIG)


CAPACITY = changed(CONFIG, control={"name": "capacity", "width": 256})


@pytest.mark.parametrize("group", WRONG)
def test_every_field_has_its_wrong_values(group):
    fields = {field.name for field in keys_of(CLASSES[group]) if field.metadata["key"].groups is None}
    assert set(WRONG[group]) == fields


@pytest.mark.parametrize("value", [0, -1, "many", True, None])
def test_processes_of_a_host_are_a_number_or_auto(value):
    for name in ("cpus", "gpus"):
        record = CONFIG.record() | {"cluster": {"name": name, "processes": value}}
        assert message(record).startswith(f"cluster.processes {value}: needs a whole number of at least 1")
        assert RunConfig.from_tree(record | {"cluster": {"name": name, "processes": "auto"}, "device": "auto"})


@pytest.mark.parametrize(
    ("group", "wrong", "meant"),
    [
        ("", "sead", "seed"),
        ("data", "validaton", "validation"),
        ("protocol", "stepz", "steps"),
        ("frontend", "trainabel", "trainable"),
        ("control", "widht", "width"),
        ("logger", "projekt", "project"),
        ("cluster", "timout", "timeout"),
    ],
)
def test_an_unknown_key_like_a_known_one(group, wrong, meant):
    name = f"{group}.{wrong}" if group else wrong
    assert message(with_value(SLURM, name, 64)) == f"{name} (64): unknown key; did you mean {meant}?"


@pytest.mark.parametrize("group", ["", "data", "protocol", "frontend", "control", "logger", "cluster"])
def test_an_unknown_key_like_no_other_is_answered_with_those_there_are(group):
    name = f"{group}.xyz" if group else "xyz"
    fields = ", ".join(field.name for field in keys_of(CLASSES[group]))
    assert message(with_value(SLURM, name, "blue")) == f"{name} (blue): unknown key; there is {fields}"


def test_a_key_that_the_models_class_does_not_take():
    assert message(with_value(CONFIG, "model.layers", 3)).startswith("model.layers (3): unknown key")


OPTIONAL = {"data.name", "data.root", "data.fingerprint", "control.width", "logger.project", "model.options"}
NEEDED = [f"{group}.{key}" if group else key for group, keys in WRONG.items() for key in keys]
NEEDED = [key for key in NEEDED if key not in OPTIONAL and not key.endswith(".name")]


@pytest.mark.parametrize("key", NEEDED)
def test_a_missing_key(key):
    record = SLURM.record()
    group, _, name = key.rpartition(".")
    del (record[group] if group else record)[name]
    assert message(record) == f"{key}: missing; give it a value"


@pytest.mark.parametrize("key", [key for key in NEEDED if key not in ("model.learning_rate", "frontend.learning_rate")])
def test_a_key_that_a_file_leaves_to_the_command_line(key):
    assert message(with_value(SLURM, key, "???")) == f"{key}: missing; give it a value"


@pytest.mark.parametrize("group", [field.name for field in keys_of(RunConfig) if field.metadata["key"].groups])
def test_a_missing_group_and_one_without_keys(group):
    record = SLURM.record()
    del record[group]
    assert message(record) == f"{group}: missing; give it a value"
    for value in (None, 3, "quick"):
        assert message(SLURM.record() | {group: value}) == f"{group} {value}: needs keys, see conf/{group}"


@pytest.mark.parametrize("root", ["???", None, "", 3])
def test_a_missing_folder_of_recordings_is_said_with_the_key(root):
    text = message(with_value(CONFIG, "data.root", root))
    assert text.startswith("data.root") and ("data.root=DIR" if root == "???" else "needs a folder") in text


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"protocol__fixed_steps": 100}, "protocol.fixed_steps 100: needs to be fewer than protocol.steps, 100"),
        ({"control": {"name": "none", "width": 3}}, "control.width (3): unknown key; it belongs to control=capacity"),
        ({"control": {"name": "capacity"}}, "control.width None: needs a whole number of at least 1"),
        ({"cluster": {"name": "none", "processes": 3}}, "cluster.processes (3): unknown key; there is name"),
        ({"cluster": {"name": "gpus", "processes": 1}}, "cluster gpus with device cpu: choose cluster=cpus"),
        ({"frontend__trainable": "bank"}, "frontend.trainable bank: cqt-48 has no mel bank beside its kernels"),
        ({"threshold": "tuned", "data__validation": 0}, "threshold tuned: needs held-out recordings to choose it on"),
        ({"protocol__validation_windows": 0}, "protocol.validation_windows 0: needs a whole number of at least 1"),
        ({"representation__sample_rate": 22050}, "conf/representation/cqt-48.yaml: sample_rate 22050: the recordings"),
        ({"representation__pad_mode": "reflect", "protocol__window": 4096}, "protocol.window 4096: too short for"),
    ],
)
def test_keys_that_do_not_go_together(keys, said):
    with pytest.raises(ValueError) as caught:
        changed(CONFIG, **keys)
    assert str(caught.value).startswith(said)


def composed_cluster(*overrides: str) -> Cluster:
    with initialize_config_dir(str(CONF), version_base=None):
        return cluster_config(compose("config", overrides=list(overrides)))


@pytest.mark.parametrize("name", CLUSTERS)
def test_where_a_sweep_goes_is_known_before_its_runs(name):
    cluster = composed_cluster(f"cluster={name}")
    assert (type(cluster), cluster.name) == (CLUSTERS[name], name)
    with pytest.raises(ValueError, match=r"cluster\.name 'moon': choose one of none, gpus, cpus, slurm"):
        composed_cluster(f"cluster={name}", "cluster.name=moon")


def test_gpus_of_a_cpu_are_refused_before_any_run():
    with pytest.raises(ValueError, match="cluster gpus with device cpu: choose cluster=cpus"):
        composed_cluster("cluster=gpus", "device=cpu")


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


@pytest.mark.parametrize("cls", [*GROUPS, Representation, *FAMILIES], ids=lambda cls: cls.__name__)
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

    found = {cls for cls in below(Group) if cls.__module__.startswith("sweep.")} - {Group}
    assert found - below(Representation) == set(GROUPS)
    assert set(FAMILIES) <= below(Representation) and {type(row) for row in ROWS.values()} == set(FAMILIES)


def test_the_accuracies_are_those_of_the_engines():
    """Written twice, because a configuration is checked without torch."""
    assert tuple(engines.ACCURACIES) == ACCURACIES
