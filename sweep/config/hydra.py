"""Convert Hydra's composed configuration to a `RunConfig` and to a sweep's cluster."""

import functools
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from sweep.checks import check_choice
from sweep.config.asked_sets import asked_sets
from sweep.config.conf import settings
from sweep.config.groups import CLUSTERS, Cluster
from sweep.config.run import ASIDE, RunConfig, chosen_classes
from sweep.config.words import one_line, typed_value
from sweep.representations import STEPS

_NAMED = ("protocol", "model", "representation")  # groups whose files do not hold their own name
_GROUPS = (*_NAMED, "data", "control")


def run_config(config: DictConfig, hydra: DictConfig) -> RunConfig:
    """Build the configuration of one run.

    Args:
        config: the run's configuration as Hydra composed it.
        hydra: its hydra node, with the option chosen in each group and the command line's overrides.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    words = words_of(hydra)
    with one_line(words):
        tree: Any = OmegaConf.to_container(config, resolve=True)
    tree.pop("hydra", None)
    for name in _NAMED:
        tree[name] = {**(tree[name] or {}), "name": hydra.runtime.choices[name]}
    inside = tuple(f"{name}." for name in _GROUPS)
    tree["changed"] = {
        key: typed
        for key, typed in map(typed_value, words)
        if key.startswith(inside) and key not in ASIDE and key != "data.test"  # its columns say it
    }
    for key, typed in tree["changed"].items():
        if "${" in typed:  # what stands there, not where it comes from
            tree["changed"][key] = str(functools.reduce(lambda part, name: part[name], key.split("."), tree))
    tree["data"]["test"] = asked_sets(tree["data"].get("test"), _folders(hydra, "data"))
    tree["code"] = _codes(tree)
    _take_recipe(tree)
    own = _own_steps(hydra)
    for step in STEPS:
        _take_step(tree, step, own.get(step))
    return RunConfig.from_tree(tree)


def _codes(tree: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each class from outside the package that a run's configuration names, by its key."""
    named = ((key, registry.code(name)) for key, registry, name in chosen_classes(tree) if name in registry)
    return {key: code for key, code in named if code}


def _take_recipe(tree: dict[str, Any]) -> None:
    """Put a protocol's `segments` over its other keys if the model sees segments, but under those that were typed.

    Args:
        tree: tree of the run, with "changed".

    Raises:
        ValueError: the protocol has no such keys.
    """
    protocol, model = tree["protocol"], tree["model"]
    segments = protocol.pop("segments", None)
    if model.get("sees") != "segment":
        return
    if not isinstance(segments, dict):
        raise ValueError(
            f"protocol {protocol['name']}: is for models that see a window, {model['name']} sees segments; choose "
            "protocol=quick or converged, or give it a recipe under protocol.segments"
        )
    typed = tree["changed"]
    for name, value in segments.items():
        if f"protocol.{name}" in typed:
            continue
        if isinstance(value, dict):
            kept = {key: new for key, new in value.items() if f"protocol.{name}.{key}" not in typed}
            value = {**protocol.get(name, {}), **kept}
        protocol[name] = value


def _own_steps(hydra: DictConfig) -> dict[str, Any]:
    """Return the keys of the row's file, wherever Hydra found it; none if they cannot be read without Hydra."""
    name = f"{hydra.runtime.choices['representation']}.yaml"
    folders = _folders(hydra, "representation")
    try:
        return next((settings(folder / name) for folder in folders if (folder / name).is_file()), {})
    except (OSError, ValueError, OmegaConfBaseException, YAMLError):
        return {}


def _folders(hydra: DictConfig, group: str) -> list[Path]:
    """Return the folders in which Hydra looks for the options of a group."""
    return [Path(source.path, group) for source in hydra.runtime.config_sources if source.path]


def _take_step(tree: dict[str, Any], step: str, own: Any) -> None:
    """Keep those keys of a row's step that hold: Hydra mixes them with those of other steps of its kind.

    A step that the row's file names replaces the one that the file inherits; one that the command line names replaces
    that of the file, unless it is the same.

    Args:
        tree: tree of the run, with "changed".
        step: one of STEPS.
        own: the step's keys in the row's file; None if they are not known.

    Raises:
        ValueError: the command line sets a step as a whole.
    """
    place, keys = f"representation.{step}", tree["representation"].get(step)
    if place in tree["changed"]:
        typed = f"{place}={tree['changed'][place]}"
        raise ValueError(f"{typed}: needs its keys one by one, {place}.name=NAME {place}.KEY=VALUE")
    if not isinstance(keys, dict):
        return
    typed_keys = {key for key in keys if f"{place}.{key}" in tree["changed"]}
    if isinstance(own, dict) and ("name" not in typed_keys or keys["name"] == own.get("name")):
        typed_keys |= own.keys() & keys.keys()
    elif "name" not in typed_keys:
        return
    tree["representation"][step] = {key: value for key, value in keys.items() if key in typed_keys}


def words_of(hydra: DictConfig) -> list[str]:
    """Return the words of the command line that a hydra node was composed with, interpolations as they were typed."""
    return OmegaConf.to_container(hydra.overrides.task, resolve=False)


def cluster_config(config: DictConfig) -> Cluster:
    """Build the configuration of the cluster, which is needed before any run is composed.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    with one_line(()):
        tree: Any = OmegaConf.to_container(config.cluster, resolve=True)
        device = config.device
    check_choice("cluster.name", tree.get("name"), CLUSTERS)
    if tree["name"] == "gpus" and device == "cpu":
        raise ValueError("cluster gpus with device cpu: choose cluster=cpus")
    return CLUSTERS[tree["name"]].from_tree(tree)
