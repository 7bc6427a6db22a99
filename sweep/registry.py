"""Register models, families, data sources and the steps of a row by the names that a configuration uses."""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from sweep.checks import check_choice
from sweep.fields import check_keys

T = TypeVar("T", bound=type)


class Registry(Mapping[str, T]):
    """The registered classes of one kind, by name.

    The package's own classes are in one module or sub-package. It is imported when a name is looked up, not before,
    because some of them (models) import torch.

    Args:
        kind: configuration key that the names belong to, such as "data.source".
        package: module, or sub-package whose modules, register the package's own classes.
    """

    def __init__(self, kind: str, package: str):
        self.kind, self.package = kind, package
        self._classes: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated class under a name.

        Raises:
            ValueError: another class already has this name.
        """

        def registered(cls: T) -> T:
            other = self._classes.setdefault(name, cls)
            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(f"{self.kind} {name}: {other.__module__} has this name; choose another")
            return cls

        return registered

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self._load()
        return sorted(self._classes)

    def __getitem__(self, name: str) -> T:
        """Return the class that is registered under a name.

        Raises:
            ValueError: no class has this name.
        """
        if name not in tuple(self._classes):
            self._load()
        check_choice(self.kind, name, sorted(self._classes))
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        """Return whether a name is registered; import the package's modules only if no module has this name."""
        if not isinstance(name, str):
            return False
        if name in self._classes:
            return True
        if name.isidentifier() and name[0] != "_" and self._has_module(name):
            return True
        self._load()
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def _has_module(self, name: str) -> bool:
        try:
            return importlib.util.find_spec(f"{self.package}.{name}") is not None
        except ModuleNotFoundError:  # the package is a module
            return False

    def _load(self) -> None:
        """Import the package's modules in alphabetical order."""
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(getattr(package, "__path__", ())):
            importlib.import_module(f"{self.package}.{module.name}")


def options_of(cls: type, given: tuple[str, ...]) -> dict[str, inspect.Parameter]:
    """Return the configuration keys of a class: its constructor's arguments except those in `given`."""
    return {name: it for name, it in inspect.signature(cls).parameters.items() if name not in given}


def check_options(cls: type, given: tuple[str, ...], options: Mapping[str, Any], place: str) -> None:
    """Check the keys that a configuration sets for a class.

    Args:
        cls: class whose keys are checked.
        given: constructor arguments that no configuration sets.
        options: values by key.
        place: prefix of a key in a message, such as "model.".

    Raises:
        ValueError: a key is unknown, or a value has another type than the argument's annotation.
    """
    known = options_of(cls, given)
    check_keys(options, list(known), [], place)
    for key, value in options.items():
        wanted = known[key].annotation
        fits = isinstance(value, wanted) if isinstance(wanted, type) and wanted is not inspect.Parameter.empty else True
        if wanted is float:
            fits = isinstance(value, int | float)
        if not fits or isinstance(value, bool) and wanted in (int, float):
            raise ValueError(f"{place}{key} {value!r}: needs a value of type {wanted.__name__}")


families: Registry = Registry("family", "sweep.representations.families")
models: Registry = Registry("model.name", "sweep.training.models")
sources: Registry = Registry("data.source", "sweep.data.sources")
levels: Registry = Registry("level.name", "sweep.representations.levels")
compressions: Registry = Registry("compression.name", "sweep.representations.compressions")
normalisations: Registry = Registry("normalisation.name", "sweep.representations.normalisations")
stacks: Registry = Registry("stack.name", "sweep.representations.stacks")
