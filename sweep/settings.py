"""The configuration of one run as plain dicts, with names, checked before anything starts. Imports no torch."""

import hashlib
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from sweep.checks import check_choice, check_positive, check_whole
from sweep.files import NOTES
from sweep.results import NOT_IDENTITY, implied_accuracy

ACCURACIES = ("exact", "high", "fast")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("float32", "tf32", "bfloat16")
PLACEMENTS = ("auto", "float32", "int16", "host")
CONTROLS = ("none", "capacity")
LOGGERS = ("csv", "wandb", "none")
CLUSTERS = {
    "none": set(),
    "gpus": {"processes"},
    "cpus": {"processes"},
    "slurm": {
        *("gpus", "cpus", "memory", "timeout", "requeues", "grace", "parallel", "partition", "account", "qos"),
        *("setup", "extra", "detach"),
    },
}
SOURCES = ("demo", "musicnet", "folder")
PROTOCOL_KEYS = {
    *("name", "window", "steps", "batch_size", "learning_rate", "learning_rate_scaling", "schedule", "standardise"),
    *("output_bias", "loss_scale", "validation", "validation_windows", "checkpoint_every", "scored_windows"),
    "fixed_steps",
}


def settings_of(config: DictConfig, hydra: DictConfig) -> dict:
    """The resolved configuration as plain dicts, with what only Hydra knows.

    That is a `name` for each group, as the folders and the table use it, and `changed`: what the command line set
    inside a group, so that a table can say how its rows differ from what their names stand for.

    Args:
        config: of one run.
        hydra: its hydra node: the option chosen in each group, the command line's overrides.
    """
    settings = OmegaConf.to_container(config, resolve=True)
    settings.pop("hydra", None)
    choices = hydra.runtime.choices
    for group in ("protocol", "model", "representation"):
        settings[group] = {**(settings[group] or {}), "name": choices[group]}
    root = settings["data"].get("root")
    if root == "???":
        raise ValueError("data.root is missing: name the folder of the recordings, data.root=DIR")
    if not isinstance(root, str) or not root:
        raise ValueError(f"data.root {root}: needs a folder")
    settings["data"]["name"] = Path(root).resolve().name
    if settings["frontend"]["accuracy"] == "auto":
        settings["frontend"]["accuracy"] = implied_accuracy(settings["precision"])
    if not settings["frontend"]["trainable"]:
        settings["frontend"]["learning_rate"] = None  # of nothing
    overrides = (override.lstrip("+~").partition("=") for override in hydra.overrides.task)
    inside = ("representation.", "protocol.", "model.", "data.", "control.")
    settings["changed"] = {
        key: value for key, _, value in overrides if key.startswith(inside) and key not in NOT_IDENTITY
    }
    return settings


def fingerprint(root: Path, source: str = "musicnet") -> str:
    """What tells one data folder from another of its name: a hash of its files' names and sizes."""
    if source == "folder":
        from sweep.data.folder import SPLITS, find  # and with it torch

        pairs = [(split, pair) for split in SPLITS for pair in find(root, split)[0]]
        found = [(split, path) for split, pair in pairs for path in (pair.audio, pair.labels)]
    else:
        found = [(path,) for path in root.glob("t*_*/*") if path.is_file() and not path.stem.endswith(NOTES)]
    files = sorted((*split, str(path.relative_to(root)), path.stat().st_size) for *split, path in found)
    return hashlib.sha256(repr(files).encode()).hexdigest()[:16]


def check_settings(settings: dict) -> None:
    """Check all that is known before any data is read; a representation's own numbers are checked when it is built.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    check_whole("seed", settings["seed"], least=0)
    if settings["seed"] >= 2**63:
        raise ValueError(f"seed {settings['seed']}: needs a number below 2^63")
    check_choice("device", settings["device"], DEVICES)
    check_choice("logger.name", settings["logger"]["name"], LOGGERS)
    check_choice("data.source", settings["data"]["source"], SOURCES)
    cache = settings["data"]["cache"]
    if cache is not None and (not isinstance(cache, str) or not cache):
        raise ValueError(f"data.cache {cache}: needs a folder, or null for none")
    check_choice("overwrite", settings["overwrite"], (True, False))
    check_whole("retry", settings["retry"], least=0)
    check_choice("capture", settings["capture"], (True, False))
    check_choice("precision", settings["precision"], PRECISIONS)
    check_choice("data.placement", settings["data"]["placement"], PLACEMENTS)
    if settings["workers"] != "auto":
        check_whole("workers", settings["workers"], least=0)
    check_keys("frontend", settings["frontend"], {"trainable", "accuracy", "learning_rate"})
    check_choice("frontend.accuracy", settings["frontend"]["accuracy"], ACCURACIES)
    check_trainable(settings["frontend"]["trainable"], settings["representation"])
    if settings["frontend"]["learning_rate"] is not None:
        check_positive("frontend.learning_rate", settings["frontend"]["learning_rate"])
    check_choice("control.name", settings["control"]["name"], CONTROLS)
    if settings["control"]["name"] == "capacity":
        check_whole("control.width", settings["control"].get("width"))
    if settings["threshold"] != "tuned":
        check_share("threshold", settings["threshold"])
    check_share("data.validation", settings["data"]["validation"])
    check_protocol(settings["protocol"])
    if settings["threshold"] == "tuned" and not settings["data"]["validation"]:
        raise ValueError("threshold tuned: needs held-out recordings to choose it on, such as data.validation=0.1")
    if settings["data"]["validation"]:
        check_whole("protocol.validation_windows", settings["protocol"]["validation_windows"])


def check_trainable(trainable: bool | str, representation: dict) -> None:
    """Check `frontend.trainable` for a representation.

    Raises:
        ValueError: names the row, the value and the remedy.
    """
    check_choice("frontend.trainable", trainable, (False, True, "bank", "kernels"))
    name, family, algorithm = (representation.get(key) for key in ("name", "family", "algorithm"))
    if trainable in ("bank", "kernels") and family != "mel":
        raise ValueError(f"frontend.trainable {trainable}: {name} has no mel bank beside its kernels; choose true")
    if trainable and str(algorithm) in ("1992", "2010", "2010v2"):
        raise ValueError(
            f"frontend.trainable {trainable}: {name} with algorithm {algorithm} has no time-domain kernel for each "
            "bin; choose representation.algorithm=exact or 1992v2"
        )


def check_cluster(cluster: dict, device: str) -> None:
    """Check conf's `cluster`, whose numbers are needed before any run is composed.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    check_choice("cluster.name", cluster.get("name"), CLUSTERS)
    check_keys("cluster", cluster, {"name"} | CLUSTERS[cluster["name"]])
    if cluster["name"] == "gpus" and device == "cpu":
        raise ValueError("cluster gpus with device cpu: choose cluster=cpus")
    if "processes" in cluster and cluster["processes"] != "auto":
        check_whole("cluster.processes", cluster["processes"])
    if cluster["name"] == "slurm":
        for key in ("cpus", "timeout", "parallel"):
            check_whole(f"cluster.{key}", cluster[key])
        for key in ("gpus", "requeues", "grace"):
            check_whole(f"cluster.{key}", cluster[key], least=0)
        if cluster["memory"] is not None:
            check_whole("cluster.memory", cluster["memory"])
        check_choice("cluster.detach", cluster["detach"], (True, False))
        for key, kind in (("setup", list), ("extra", dict)):
            if cluster[key] is not None and not isinstance(cluster[key], kind):
                raise ValueError(f"cluster.{key} {cluster[key]}: needs a {kind.__name__}, see conf/cluster/slurm.yaml")


def check_protocol(protocol: dict) -> None:
    """Check the numbers of conf/protocol.

    Raises:
        ValueError: names the file, the key, the value and the remedy.
    """
    try:
        check_keys("protocol", protocol, PROTOCOL_KEYS)
        for key in ("window", "steps", "batch_size", "checkpoint_every", "scored_windows"):
            check_whole(key, protocol[key])
        for key in ("learning_rate", "loss_scale"):
            check_positive(key, protocol[key])
        for key in ("standardise", "validation_windows", "fixed_steps"):
            check_whole(key, protocol[key], least=0)
        if protocol["fixed_steps"] >= protocol["steps"]:
            raise ValueError(f"fixed_steps {protocol['fixed_steps']}: needs to be fewer than steps {protocol['steps']}")
        check_choice("learning_rate_scaling", protocol["learning_rate_scaling"], ("features", "none"))
        check_choice("schedule", protocol["schedule"], ("linear", "constant"))
        check_choice("output_bias", protocol["output_bias"], (False, True))
        check_share("validation", protocol["validation"])
    except ValueError as error:
        raise ValueError(f"conf/protocol/{protocol['name']}.yaml: {error}") from None


def check_keys(group: str, settings: dict, keys: set[str]) -> None:
    """Exactly these keys."""
    for key in settings.keys() ^ keys:
        said = f"unknown; {group} has {', '.join(sorted(keys))}" if key in settings else "missing; give it a value"
        raise ValueError(f"{group}.{key} is {said}")


def check_share(key: str, value) -> None:
    """A number from 0 up to, but not including, 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{key} {value}: needs a number of at least 0 and below 1")
