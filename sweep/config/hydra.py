"""Convert Hydra's composed configuration to a `RunConfig` and to a sweep's cluster."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sweep.checks import check_choice
from sweep.config.groups import CLUSTERS, Cluster
from sweep.config.run import ASIDE, RunConfig

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
    tree: Any = OmegaConf.to_container(config, resolve=True)
    tree.pop("hydra", None)
    for name in _NAMED:
        tree[name] = {**(tree[name] or {}), "name": hydra.runtime.choices[name]}
    overrides = (override.lstrip("+~").partition("=") for override in hydra.overrides.task)
    inside = tuple(f"{name}." for name in _GROUPS)
    tree["changed"] = {key: value for key, _, value in overrides if key.startswith(inside) and key not in ASIDE}
    return RunConfig.from_tree(tree)


def cluster_config(config: DictConfig) -> Cluster:
    """Build the configuration of the cluster, which is needed before any run is composed.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    tree: Any = OmegaConf.to_container(config.cluster, resolve=True)
    check_choice("cluster.name", tree.get("name"), CLUSTERS)
    if tree["name"] == "gpus" and config.device == "cpu":
        raise ValueError("cluster gpus with device cpu: choose cluster=cpus")
    return CLUSTERS[tree["name"]].from_tree(tree)
