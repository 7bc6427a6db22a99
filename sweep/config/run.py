"""The configuration of one run, checked when it is built and immutable."""

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from sweep.checks import check_choice, check_whole
from sweep.config.elsewhere import changes_no_result
from sweep.config.groups import (
    CLUSTERS,
    METRICS,
    Cluster,
    Control,
    Data,
    FrontEnd,
    Logger,
    Model,
    Protocol,
    implied_accuracy,
)  # fmt: skip
from sweep.fields import Group, checked, choice, folder, group, keys_of, share, values, whole
from sweep.names import folder_name
from sweep.registry import Registry, compressions, families, models, sources
from sweep.representations import Representation, from_tree

# Keys of the data that leave labels and recordings what they are; all others that are typed make another set of it.
NO_CHOICES = {field.name for field in keys_of(Data)} - {"hours", "shift"}


def _check_device(key: str, value: object) -> None:
    if value == "mps":
        raise ValueError(f"{key} mps: no front-end of these was ever tried on an Apple GPU; choose device=cpu")
    check_choice(key, value, ("auto", "cpu", "cuda"))


@dataclass(frozen=True, kw_only=True)
class RunConfig(Group):
    """One training of one model behind one representation, and how it is scored."""

    data: Data = group(only=Data)
    protocol: Protocol = group(only=Protocol)
    model: Model = group(only=Model)
    representation: Representation = group(only=Representation)
    frontend: FrontEnd = group(only=FrontEnd)
    control: Control = group(only=Control)
    precision: str = choice("float32", "tf32", "bfloat16", spelling="precision={}", usual="tf32")
    """Precision of products and convolutions on a GPU; bfloat16 is for the model only. A CPU computes in float32."""
    threshold: float | str = share(also=("tuned",), spelling="threshold={}", usual=0.4)
    """Probability above which a note counts as sounding, and with an onset head as beginning; tuned chooses each on the
    held-out recordings."""
    seed: int = whole(least=0)
    """Seed of training windows, initial weights, dropout and augmentation; `seed=0,1,2` multiplies a sweep."""
    logger: Logger = group(only=Logger, changes_result=False)
    cluster: Cluster = group(CLUSTERS, changes_result=False)
    device: str = checked(_check_device, "`auto`, `cpu`, `cuda`", changes_result=False)
    """Device of a run; auto is a GPU if there is one."""
    capture: bool = choice(False, True, changes_result=False)
    """Whether training steps are replayed as a CUDA graph; false launches them one by one."""
    workers: int | str = whole(least=0, also=("auto",), changes_result=False)
    """Number of scoring processes; auto is one per core, up to eight."""
    retry: int = whole(least=0, changes_result=False)
    """Number of times that a failed run is retried."""
    metric: str = choice(*METRICS, changes_result=False)
    """Score that ranks the rows of the table: intervals, marks, verdict and pictures follow it."""
    margin: float = share(changes_result=False)
    """How much less than the highest row a cheaper one may score to be named as good enough."""
    overwrite: bool = choice(False, True, changes_result=False)
    """Whether finished and interrupted runs start anew."""
    keep_probabilities: bool = choice(False, True, changes_result=False, default=False)
    """Whether a run keeps what it hears in the test recordings, `probabilities.npz`, so that `sweep rescore` can score
    it anew."""
    runs: str = folder(changes_result=False)
    """Root folder of the results."""
    changed: Mapping[str, str] = values(dict, "keys and their values", changes_result=False)
    """Settings inside a group as typed on the command line."""
    code: Mapping[str, str] = values(dict, "digests by the key of a class")
    """Digest of the code of each class from outside the package, by the key that chooses it."""

    def check(self) -> None:
        if self.cluster.name == "gpus" and self.device == "cpu":
            raise ValueError("cluster gpus with device cpu: choose cluster=cpus")
        self.representation.check_trainable(self.frontend.trainable)
        if self.threshold == "tuned" and not self.data.validation:
            raise ValueError("threshold tuned: needs held-out recordings to choose it on, such as data.validation=0.1")
        if self.data.validation:
            check_whole("protocol.validation_windows", self.protocol.validation_windows)
        row, window = self.representation, self.protocol.window
        samples = row.samples(window)
        if not samples:
            raise ValueError(f"protocol.window {window}: no sample at {row.sample_rate} Hz; choose a longer window")
        if not (self.protocol.standardise or row.as_published):
            raise ValueError(
                f"protocol {self.protocol.name}: its learning rate is for logarithms of windows of unit norm, and the "
                f"features of {row.name} are others; choose protocol=converged, or protocol.standardise=4"
            )

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], place: str | None = None) -> Self:
        """Build a configuration from plain values, as Hydra composes them with group names or `record` returns them."""
        tree = dict(tree)
        if isinstance(tree.get("frontend"), Mapping):
            frontend = tree["frontend"] = dict(tree["frontend"])
            if frontend.get("accuracy") == "auto":
                frontend["accuracy"] = implied_accuracy(tree.get("precision"))
            if not frontend.get("trainable") and "learning_rate" in frontend:
                frontend["learning_rate"] = None  # no trainable kernels, so no rate
        if isinstance(tree.get("representation"), Mapping):
            tree["representation"] = from_tree(tree["representation"])
        return super().from_tree(tree, place)

    def __reduce__(self):
        # As its values: another process registers the classes of a script itself, and cannot import them from there.
        record = self.record()
        modules = {registry[name].__module__ for key, registry, name in chosen_classes(record) if key in self.code}
        return _rebuilt, (record, sorted(modules - {"__main__"}))

    @property
    def variant(self) -> str:
        """The differences between this row and its representation's own, joined by "+"; empty if there are none.

        Unusual choices come first, spelled as their fields define it, then a representation's changed numbers.
        """
        return "+".join(self._choices)

    @property
    def _choices(self) -> list[str]:
        """The parts of `variant`."""
        # Changes to a representation on the command line make it another row than the one it is named after.
        typed = self.changed.items()
        changed = [(key.partition(".")[2], value) for key, value in typed if key.startswith("representation.")]
        return [*filter(None, _spelled(self, self)), *(f"{key}={value}" for key, value in changed)]

    @property
    def _model_choices(self) -> list[str]:
        """The keys of the model as typed on the command line, which make it another one than that it is named after."""
        return [f"{key.partition('.')[2]}={value}" for key, value in self.changed.items() if key.startswith("model.")]

    @property
    def _data_choices(self) -> dict[str, str]:
        """The keys of the data as typed on the command line that make it another set, and their values."""
        typed = sorted(item for item in self.changed.items() if item[0].startswith("data.") and not _folder(item[0]))
        return {key: value for key, value in typed if key.partition(".")[2] not in NO_CHOICES}

    @property
    def changed_elsewhere(self) -> str:
        """The command line's settings in the groups that all rows and models share, "key=value ..."."""
        named = self._data_choices
        shared = (item for item in self.changed.items() if not item[0].startswith(("representation.", "model.")))
        return " ".join(f"{key}={value}" for key, value in shared if key not in named)

    @property
    def data_row(self) -> str:
        """The data set's name: its folder's, and the keys that were typed, such as "maps+labels=midi+shift=0.02"."""
        return "+".join([self.data.name, *self._data_parts])

    @property
    def _data_parts(self) -> list[str]:
        return [f"{key.partition('.')[2]}={value}" for key, value in self._data_choices.items()]

    @property
    def model_row(self) -> str:
        """The model's name: its registered one and the keys that were typed, such as "conv+width=128"."""
        return "+".join([self.model.name, *self._model_choices])

    @property
    def row(self) -> str:
        """The row's name: the representation and its variant, such as "cqt-48+norm=none"."""
        return "+".join(filter(None, (self.representation.name, self.variant)))

    @property
    def table(self) -> Path:
        """The folder of the sweep's table: <runs>/<data>/<protocol>, each name as `folder_name` writes it.

        Scores on other labels or recordings do not compare, so typed keys of the data are a part of its name.
        """
        return Path(self.runs, folder_name(self.data.name, *self._data_parts), folder_name(self.protocol.name))

    @property
    def folder(self) -> Path:
        """The run's folder: <runs>/<data>/<protocol>/<model>/<row>/seed-<n>."""
        row = folder_name(self.representation.name, *self._choices)
        return self.table / folder_name(self.model.name, *self._model_choices) / row / f"seed-{self.seed}"

    @property
    def cost(self) -> float:
        """The run's duration relative to other runs: steps times the cost of a step."""
        steps, fixed = self.protocol.steps, self.protocol.fixed_steps
        if self.frontend.trainable:
            steps = fixed + (steps - fixed) * self.representation.TRAINED_COST
        return steps * self.representation.cost

    @property
    def identity(self) -> dict[str, Any]:
        """The keys that decide the run's result, dotted, with their values."""
        return identity(self.record())


def chosen_classes(record: Mapping[str, Any]) -> list[tuple[str, Registry, str]]:
    """Return the names in a configuration that choose a class, each with its key and its registry.

    What is no text is left out.

    Args:
        record: configuration as `RunConfig.record` returns it, or as Hydra composes it.
    """
    data = record.get("data")
    others = data.get("test") if isinstance(data, Mapping) else None
    row = record.get("representation")
    step = row.get("compression") if isinstance(row, Mapping) else None
    places = [(it.kind, it, *place) for it, *place in (
        (models, record.get("model"), "name"), (sources, data, "source"),
        (families, row, "family"), (compressions, step, "name"),
    )]  # fmt: skip
    if isinstance(others, Mapping):
        places += [(f"data.test.{name}.source", sources, keys, "source") for name, keys in others.items()]
    chosen = [(key, it, place.get(entry) if isinstance(place, Mapping) else None) for key, it, place, entry in places]
    return [(key, registry, name) for key, registry, name in chosen if isinstance(name, str)]


def _rebuilt(record: Mapping[str, Any], modules: list[str]) -> RunConfig:
    """Build a configuration that another process sent, once the modules of its classes have registered these."""
    for module in modules:
        importlib.import_module(module)
    return RunConfig.from_tree(record)


def identity(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that decide a run's result, dotted, with their values.

    They include the data's name, but not the paths of files.

    Args:
        record: configuration as `RunConfig.record` returns it.
    """
    found = _flatten(record).items()
    kept = {key: value for key, value in found if key not in ASIDE and key.partition(".")[0] not in ASIDE}
    return {key: value for key, value in kept.items() if not (_folder(key) or changes_no_result(key))}


def _folder(key: str) -> bool:
    """Return whether a key is the path of a folder that a data source has beside `data.root`."""
    return key.startswith("data.") and key.endswith("_root")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List the differences between two identities, one line per key, in the order of the new one.

    >>> differences({"seed": 0, "protocol.steps": 100}, {"seed": 0, "protocol.steps": 200})
    ['protocol.steps: 100 -> 200']
    """
    absent = object()

    def show(value: Any) -> str:
        return "(absent)" if value is absent else json.dumps(value, default=str)

    return [
        f"{key.removeprefix('code.')}: the class has another code"
        if key.startswith("code.")
        else f"{key}: {show(old.get(key, absent))} -> {show(new.get(key, absent))}"
        for key in {**new, **old}
        if old.get(key, absent) != new.get(key, absent)
    ]


def _flatten(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _aside(cls: type[Group], prefix: str = "") -> Iterator[str]:
    """Yield the keys of a group that change no result; those of a row's steps all do."""
    for field in keys_of(cls):
        key = field.metadata["key"]
        if not key.changes_result:
            yield f"{prefix}{field.name}"
        for part in () if isinstance(key.groups, Registry) else (key.groups or {}).values():
            yield from _aside(part, f"{field.name}.")


def _spelled(part: Group, config: RunConfig) -> Iterator[str]:
    """Yield the spellings of a group's unusual choices."""
    for field in keys_of(type(part)):
        key, value = field.metadata["key"], getattr(part, field.name)
        if isinstance(value, Group):
            yield from _spelled(value, config)
        elif key.spelling and value != (key.usual(config) if callable(key.usual) else key.usual):
            yield key.spelling.partition("=")[0] if value is True else key.spelling.format(value)


# Keys and groups that may differ between two calls of the same run.
ASIDE = frozenset(_aside(RunConfig))
