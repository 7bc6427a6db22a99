"""Names of models, families and data sources: a class registers under a name, and the configuration gives the name."""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sweep.checks import check_choice
from sweep.fields import check_keys

T = TypeVar("T", bound=type)


class Registry(Generic[T]):
    """The classes of one kind by their names.

    The package's own stand in one sub-package, whose modules are imported when a name is looked up, so that naming a
    kind imports nothing: a model's module imports torch.

    Args:
        kind: what is registered, as a key of the configuration, such as "data.source".
        package: whose modules register the package's own classes.
    """

    def __init__(self, kind: str, package: str):
        self.kind, self.package = kind, package
        self._classes: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated class under a name.

        Raises:
            ValueError: another class has the name.
        """

        def registered(cls: T) -> T:
            other = self._classes.setdefault(name, cls)
            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(f"{self.kind} {name}: {other.__module__} has this name; choose another")
            return cls

        return registered

    def names(self) -> list[str]:
        """All names, in the order in which they were registered."""
        self._load()
        return list(self._classes)

    def __getitem__(self, name: str) -> T:
        """The class of a name.

        Raises:
            ValueError: there is none.
        """
        if name not in tuple(self._classes):
            self._load()
        check_choice(self.kind, name, self._classes)
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        """Whether a name is registered; the package's modules are imported only if the name is none of theirs."""
        if not isinstance(name, str):
            return False
        if name in self._classes:
            return True
        if name.isidentifier() and name[0] != "_" and importlib.util.find_spec(f"{self.package}.{name}"):
            return True
        self._load()
        return name in self._classes

    def _load(self) -> None:
        """Import the package's modules, in the order of their names."""
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")


def options_of(cls: type, given: tuple[str, ...]) -> dict[str, inspect.Parameter]:
    """The keys that a class has in a configuration: the arguments of its constructor beside those that it is given."""
    return {name: it for name, it in inspect.signature(cls).parameters.items() if name not in given}


def check_options(cls: type, given: tuple[str, ...], options: Mapping[str, Any], place: str) -> None:
    """Check the keys that a configuration sets for a class.

    Args:
        cls: the class.
        given: arguments of its constructor that no configuration sets.
        options: keys and values.
        place: what stands before a key in a message, such as "model.".

    Raises:
        ValueError: an unknown key, or a value of another type than the argument's annotation.
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
