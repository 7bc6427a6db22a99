"""What is wrong with a configuration ends in one line that names the key, the value and the remedy."""

import copy
import math

import pytest
from configs import changed, make_config
from hydra import compose, initialize_config_dir

from sweep.config import (
    Control,
    Data,
    FrontEnd,
    Logger,
    Model,
    Protocol,
    RunConfig,
    SlurmCluster,
)
from sweep.config.conf import CONF
from sweep.config.groups import CLUSTERS, Cluster
from sweep.config.hydra import cluster_config
from sweep.fields import keys_of

CONFIG = make_config("data.root=data/demo", "runs=out", "seed=3")
TRAINED = changed(CONFIG, frontend__trainable=True)
SLURM = make_config("cluster=slurm")


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
        "hours": but(POSITIVE, None),
        "shift": (-11, 30, "late", True, None, [1], math.nan, math.inf),
        "placement": CHOICE,
        "fingerprint": but(TEXT, None),
        "test": ("genuine", 3, True, ["a"], [1], {"a": 3}),
    },
    "protocol": {
        "name": TEXT,
        **dict.fromkeys(("window", "steps", "batch_size", "checkpoint_every", "scored_windows"), WHOLE),
        **dict.fromkeys(("fixed_steps", "standardise", "validation_windows"), COUNT),
        **dict.fromkeys(("learning_rate", "loss_scale", "onset_width", "onset_weight"), POSITIVE),
        "clip": but(POSITIVE, None),
        **dict.fromkeys(("warm_up", "edge"), SHARE),
        "weight_decay": (-1, "much", True, None, [1], math.nan, math.inf),
        **dict.fromkeys(("learning_rate_scaling", "schedule"), CHOICE),
        "output_bias": SWITCH,
        "note_step": but(WHOLE, None),
        "validation": SHARE,
    },
    "model": {"name": CHOICE, "sees": CHOICE, "learning_rate": but(POSITIVE, None)},
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
        "keep_probabilities": SWITCH,
        "metric": CHOICE,
        "margin": SHARE,
        "runs": TEXT,
        "changed": ("a=b", None, []),
        "code": ("a=b", None, []),
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


OPTIONAL = {"data.name", "data.root", "data.fingerprint", "control.width", "logger.project"}
OPTIONAL |= {"model.options", "model.sees", "data.hours", "data.shift", "data.test", "keep_probabilities"}
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
        said = message(SLURM.record() | {group: value})
        assert said.startswith(f"{group} {value}: needs keys: {group}.{'name' if group != 'frontend' else 'trainable'}")


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
        ({"device": "mps"}, "device mps: no front-end of these was ever tried on an Apple GPU; choose device=cpu"),
        ({"frontend__trainable": "bank"}, "frontend.trainable bank: cqt-48 has no mel bank beside its kernels"),
        ({"threshold": "tuned", "data__validation": 0}, "threshold tuned: needs held-out recordings to choose it on"),
        ({"protocol__validation_windows": 0}, "protocol.validation_windows 0: needs a whole number of at least 1"),
        ({"protocol__window": 1, "representation__sample_rate": 22049}, "protocol.window 1: no sample at 22049 Hz"),
        ({"protocol__standardise": 0, "representation__level": {"name": "file"}}, "protocol quick: its learning rate"),
    ],
)
def test_keys_that_do_not_go_together(keys, said):
    with pytest.raises(ValueError) as caught:
        changed(CONFIG, **keys)
    assert str(caught.value).startswith(said)


GENUINE = {"source": "folder", "root": "genuine", "shift": 0.0, "fingerprint": None}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        *[("root", value, f"data.test.genuine.root {value}: needs a folder") for value in but(TEXT, "")],
        *[("source", value, "data.test.genuine.source ") for value in CHOICE],
        *[("shift", value, f"data.test.genuine.shift {value}: needs a number from -10 to 10") for value in (-11, "a")],
        ("fingerprint", 3, "data.test.genuine.fingerprint 3: needs a hash"),
        ("hours", 3, "data.test.genuine.hours (3): unknown key; there is name, source, root, shift, fingerprint"),
        ("finger", 3, "data.test.genuine.finger (3): unknown key; did you mean fingerprint?"),
    ],
)
def test_a_wrong_value_of_a_set_to_score_on(key, value, said):
    tree = with_value(CONFIG, "data.test", {"genuine": GENUINE | {key: value}})
    assert message(tree).startswith(said)


@pytest.mark.parametrize("key", ["source", "root"])
def test_a_set_to_score_on_without_a_key(key):
    keys = {name: value for name, value in GENUINE.items() if name != key}
    assert message(with_value(CONFIG, "data.test", {"a": keys})) == f"data.test.a.{key}: missing; give it a value"


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
