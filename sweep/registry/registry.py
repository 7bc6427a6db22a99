"""The registered classes of one kind, by name."""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from sweep.checks import check_choice, shown
from sweep.registry.code import digest
from sweep.registry.keyed import as_group, check_fields
from sweep.registry.options import check_signature

T = TypeVar("T", bound=type)
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Registry(Mapping[str, T]):
    """The registered classes of one kind, by name.

    The package's own classes are in one module or sub-package. It is imported when a name is looked up, not before,
    because some of them (models) import torch. The class of an installed package is imported when its own name is.

    Args:
        kind: configuration key that the names belong to, such as "data.source".
        package: module, or sub-package whose modules, register the package's own classes.
        base: class that one from outside the package has to derive from, as "module.Class"; None: any class is taken.
        group: name of the entry points of installed packages; None: there are none.
        given: arguments of a class's constructor that are no keys; None: its keys are the fields of a `Group`.
    """

    def __init__(
        self,
        kind: str,
        package: str,
        base: str | None = None,
        group: str | None = None,
        given: tuple[str, ...] | None = None,
    ):
        self.kind, self.package, self.base, self.group, self.given = kind, package, base, group, given
        self._classes: dict[str, T] = {}
        self._codes: dict[str, str] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated class under a name.

        A class of the same module and name takes the place of an earlier one, as when a cell of a notebook runs again.

        Raises:
            ValueError: another class already has this name; or a class from outside the package does not fit.
        """

        def registered(cls: T) -> T:
            if self.base is not None and not self._is_own(cls):
                self._check(name, cls)
            other = self._classes.get(name, cls)
            if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
                raise ValueError(f"{self.kind} {name}: {other.__module__} has this name; choose another")
            self._classes[name] = cls
            if not self._is_own(cls):
                self._codes[name] = digest(cls)  # now, since its file may change while this process runs
            return cls

        return registered

    def forget(self, name: str) -> None:
        """Take a class out that `register` put in under this name."""
        del self._classes[name]

    def names(self) -> list[str]:
        """Return all names, sorted."""
        self._load()
        return sorted({*self._classes, *self._installed()})

    def importable(self, names: Iterable[str] | None = None) -> dict[str, T]:
        """Return classes by name, but for those that are not known here or whose package cannot be imported.

        Args:
            names: names of the classes; None: all.
        """
        found = {}
        for name in self.names() if names is None else names:
            with contextlib.suppress(ValueError):
                found[name] = self[name]
        return found

    def foreign(self) -> list[str]:
        """Return the names of the classes from outside the package, sorted."""
        if self._installed():  # one of the package's own may have the same name; its modules take seconds to import
            self._load()
        known = {*self._classes, *self._installed()}
        return sorted(name for name in known if not (name in self._classes and self._is_own(self._classes[name])))

    def code(self, name: str) -> str | None:
        """Return a digest of the code of a class from outside the package, `code.digest`; None for one of its own.

        Raises:
            ValueError: an installed package has the name of one of the package's own, or cannot be imported.
        """
        own = self._is_own(self._classes[name]) if name in self._classes else self._has_module(name)
        if own and name in self._installed():
            packages = " and ".join(map(_package, self._installed()[name]))
            raise ValueError(f"{self.kind} {name}: {packages} has a class of this name too; uninstall it or rename it")
        return None if own or self._is_own(self[name]) else self._codes[name]

    @staticmethod
    def name_for(cls: type) -> str:
        """Return the name for a class: its own in lower case, with underscores."""
        return _CAMEL.sub("_", cls.__name__).lower()

    def __getitem__(self, name: str) -> T:
        """Return the class that is registered under a name.

        Raises:
            ValueError: no class has this name, or the package that has it cannot be imported.
        """
        if name not in tuple(self._classes):
            self._load()
        if name not in tuple(self._classes) and isinstance(name, str) and name in self._installed():
            self._import(name)
        check_choice(self.kind, name, sorted({*self._classes, *self._installed()}))
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        """Return whether a name is registered; import the package's modules only if no module has this name."""
        if not isinstance(name, str):
            return False
        if name in self._classes or name in self._installed():
            return True
        if name.isidentifier() and name[0] != "_" and self._has_module(name):
            return True
        self._load()
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def _is_own(self, cls: type) -> bool:
        return cls.__module__.partition(".")[0] == self.package.partition(".")[0]

    def _check(self, name: str, cls: type) -> None:
        """Check a class from outside the package and its name; make keys of the attributes of a family's.

        Raises:
            ValueError: names the class and the remedy.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"{self.kind} {shown(repr(name))}: needs letters, digits, and - _ . between them")
        module, _, base = self.base.rpartition(".")
        if not isinstance(cls, type) or not issubclass(cls, getattr(importlib.import_module(module), base)):
            said = getattr(cls, "__qualname__", shown(cls))
            raise ValueError(f"{said}: needs to be a subclass of {base}; from {module} import {base}")
        self._load()
        module = cls.__module__.partition(".")[0]
        for point in self._installed().get(name, ()):
            if point.module.partition(".")[0] != module:
                raise ValueError(f"{self.kind} {name}: the installed {_package(point)} has this name; choose another")
        place = f"{self.kind.partition('.')[0]}."
        if self.given is None:
            check_fields(as_group(cls), place)
        else:
            check_signature(cls, self.given, place)

    def _installed(self) -> dict[str, list[importlib.metadata.EntryPoint]]:
        return _entry_points(self.group) if self.group else {}

    def _import(self, name: str) -> None:
        """Import the class that an installed package has under a name, and register it.

        Raises:
            ValueError: two packages have the name, or the class cannot be imported; names the package and the remedy.
        """
        points = self._installed()[name]
        packages = list(map(_package, points))
        if len(points) > 1:
            raise ValueError(f"{self.kind} {name}: {' and '.join(packages)} both have it; uninstall one")
        try:
            cls = points[0].load()
        except Exception as error:
            said = shown(" ".join(f"{type(error).__name__}: {error}".split()))
            raise ValueError(f"{self.kind} {name}: package {packages[0]} cannot be imported: {said}") from None
        self.register(name)(cls)

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


@functools.cache
def _entry_points(group: str) -> dict[str, list[importlib.metadata.EntryPoint]]:
    """Return the entry points of a group by name, those of one package under a name once."""
    found: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for point in importlib.metadata.entry_points(group=group):
        others = found.setdefault(point.name, [])
        if point not in others:
            others.append(point)
    return found


def _package(point: importlib.metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
