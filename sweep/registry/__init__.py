"""Register models, families, data sources and the steps of a row by the names that a configuration uses.

The project's own classes, those of a script and those of installed packages register in the same way:

    @sweep.model("mine")
    class Mine(Model): ...

An installed package names its classes in its entry points, of the groups sweep.models, sweep.families, sweep.sources
and sweep.compressions, and need not be imported for that.
"""

from typing import Any

from sweep.registry.options import check_options, explained, options_of
from sweep.registry.registry import Registry

__all__ = [
    "Registry", "check_options", "compression", "compressions", "explained", "families", "family", "levels", "model",
    "models", "normalisations", "options_of", "source", "sources", "stacks",
]  # fmt: skip

families: Registry = Registry(
    "family", "sweep.representations.families", "sweep.representations.representation.Representation", "sweep.families"
)
models: Registry = Registry(
    "model.name", "sweep.training.models", "sweep.training.model.Model", "sweep.models", ("features", "bias")
)
sources: Registry = Registry(
    "data.source", "sweep.data.sources", "sweep.data.source.Source", "sweep.sources", ("root",)
)
compressions: Registry = Registry(
    "compression.name",
    "sweep.representations.compressions",
    "sweep.representations.compressions.Compression",
    "sweep.compressions",
)
levels: Registry = Registry("level.name", "sweep.representations.levels")
normalisations: Registry = Registry("normalisation.name", "sweep.representations.normalisations")
stacks: Registry = Registry("stack.name", "sweep.representations.stacks")


def model(cls: Any) -> Any:
    """Register a model, a subclass of `sweep.training.model.Model`, as the value of `model`: a class decorator.

    The constructor's arguments beside `features` and `bias` are its keys; each needs a type and a default.

    Args:
        cls: the class, whose name in lower case with underscores is registered; or the name to register it under.

    Raises:
        ValueError: the class or the name does not fit; names it and the remedy.
    """
    return _decorated(cls, models)


def family(cls: Any) -> Any:
    """Register a family, a subclass of `sweep.representations.Representation`, as `model` does a model.

    Its fields are the keys of its rows; a default, a type and a sentence under it will do, and those of `sweep.fields`
    check more. It is made a frozen dataclass. `representation=<name>` is its row with all defaults.
    """
    return _decorated(cls, families)


def compression(cls: Any) -> Any:
    """Register a compression, a subclass of `sweep.representations.compressions.Compression`, as `family` a family."""
    return _decorated(cls, compressions)


def source(cls: Any) -> Any:
    """Register a data source, a subclass of `sweep.data.source.Source`, as the value of `data`, as `model` a model.

    The constructor's arguments beside `root` are its keys.
    """
    return _decorated(cls, sources)


def _decorated(cls: Any, registry: Registry) -> Any:
    if isinstance(cls, str):
        return registry.register(cls)
    return registry.register(registry.name_for(cls))(cls)
