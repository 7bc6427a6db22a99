"""Convert Hydra's composed configuration to a `RunConfig` and to a sweep's cluster."""

import functools
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweep.checks import check_choice
from sweep.config.groups import CLUSTERS, Cluster
from sweep.config.run import ASIDE, RunConfig
from sweep.config.words import one_line, typed_value
from sweep.representations import STEPS

_HERE = Path(__file__).resolve().parents[1]
# In a wheel the configuration is inside the package, in a checkout beside it.
CONF = next(folder for folder in (_HERE / "conf", _HERE.parent / "conf") if folder.is_dir())
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
        key: typed for key, typed in map(typed_value, words) if key.startswith(inside) and key not in ASIDE
    }
    for key, typed in tree["changed"].items():
        if "${" in typed:  # what stands there, not where it comes from
            tree["changed"][key] = str(functools.reduce(lambda part, name: part[name], key.split("."), tree))
    for step in STEPS:
        if f"representation.{step}.name" in tree["changed"]:  # another step, so the keys of the former do not hold
            typed = {key for key in tree["representation"][step] if f"representation.{step}.{key}" in tree["changed"]}
            tree["representation"][step] = {key: tree["representation"][step][key] for key in typed}
    return RunConfig.from_tree(tree)


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
