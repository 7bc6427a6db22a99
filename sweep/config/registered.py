"""Give Hydra the groups of classes from outside the package: a file of conf/, as it were, for each of them.

The options `model=NAME`, `data=NAME` and `representation=NAME` of such a class are not written in a folder; their keys
and defaults come from the class's signature. A class is imported when its option is asked for, not before.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from sweep.checks import shown
from sweep.config.conf import CONF, ROWS, over, settings
from sweep.config.groups import Data, Model
from sweep.fields import Group, default_of, keys_of
from sweep.registry import families, models, options_of, sources

_SCHEME = "registered"


class Registered(ConfigSource):
    """The options of classes from outside the package."""

    @staticmethod
    def scheme() -> str:
        return _SCHEME

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return config_path.strip("/") in _GROUPS

    def is_config(self, config_path: str) -> bool:
        group, name = _split(config_path)
        return group in _GROUPS and not (CONF / group / f"{name}.yaml").exists() and name in _GROUPS[group][0]()

    def load_config(self, config_path: str) -> ConfigResult:
        if not self.is_config(config_path):
            raise ConfigLoadError(f"Config not found : {config_path}")
        group, name = _split(config_path)
        keys = OmegaConf.create(_GROUPS[group][1](name))
        return ConfigResult(config=keys, path=self.full_path(), provider=self.provider, header={"package": None})

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        group = config_path.strip("/")
        if group not in _GROUPS or results_filter is ObjectType.GROUP:
            return []
        return sorted(name for name in _GROUPS[group][0]() if self.is_config(f"{group}/{name}"))


class Behind(SearchPathPlugin):
    """Puts the registered options behind those of conf/ and of the user's folders."""

    def manipulate_search_path(self, search_path: Any) -> None:
        search_path.append(provider="sweep", path=f"{_SCHEME}://")


def offer() -> None:
    """Make Hydra look for options among the registered classes, too; call it before Hydra reads its search path."""
    for plugin in (Registered, Behind):
        Plugins.instance().register(plugin)


def option(group: str, name: str) -> dict[str, Any]:
    """Return what an option of a group sets: its file in conf/, or its class from outside the package.

    Raises:
        ValueError: the package that has the class cannot be imported.
    """
    path = CONF / group / f"{name}.yaml"
    return settings(path) if path.exists() or group not in _GROUPS else _GROUPS[group][1](name)


def registered_rows() -> dict[str, dict[str, Any]]:
    """Return the keys of the rows of families from outside the package, by the rows' names.

    Each family has a row of its own name with its defaults, and those in its attribute ROWS, with these keys over them.
    A family of an installed package that cannot be imported has none.

    Raises:
        ValueError: a row has the name of another.
    """
    found: dict[str, dict[str, Any]] = {}
    shared = settings(ROWS / "base" / "family.yaml")
    for name, cls in families.importable(families.foreign()).items():
        defaults = ((field.name, default_of(field)) for field in keys_of(cls))
        own = {key: value for key, value in defaults if _is_value(value)}
        usual = {**shared, "family": name, **own}
        for row, changes in {name: {}, **cls.ROWS}.items():
            if not isinstance(changes, Mapping):
                raise ValueError(f"family {name}: its row {row}, {shown(changes)}: needs the keys that it changes")
            if row in found or (ROWS / f"{row}.yaml").exists():
                raise ValueError(f"family {name}: another row has the name of its row {row}; choose another")
            found[row] = over(usual, dict(changes))
    return found


def _row(name: str) -> dict[str, Any]:
    rows = registered_rows()
    if name not in rows:
        families[name]  # says why its package cannot be imported
    return rows[name]


def _model(name: str) -> dict[str, Any]:
    cls = models[name]
    return {"sees": cls.SEES, "learning_rate": cls.LEARNING_RATE, **_defaults(cls, models.given, Model)}


def _data(name: str) -> dict[str, Any]:
    folder: Any = OmegaConf.to_container(OmegaConf.load(CONF / "data" / "folder.yaml"))
    shared = {key: value for key, value in folder.items() if key not in options_of(sources["folder"], sources.given)}
    return {**shared, "source": name, **_defaults(sources[name], sources.given, Data)}


def _defaults(cls: type, given: tuple[str, ...], group: type[Group]) -> dict[str, Any]:
    found, taken = options_of(cls, given), {field.name for field in keys_of(group)}
    for key in found:
        if key in taken:
            raise ValueError(f"{cls.__qualname__}: {group.PLACE}{key}: is a key of all; give the argument another name")
    return {key: it.default for key, it in found.items()}


def _is_value(default: Any) -> bool:
    return default is None or isinstance(default, int | float | str | list | dict)


def _split(config_path: str) -> tuple[str, str]:
    group, _, name = config_path.removesuffix(".yaml").strip("/").partition("/")
    return group, name


# Of each group: the names of its options, and what the option of a name holds.
_GROUPS: dict[str, tuple[Callable[[], Collection[str]], Callable[[str], dict[str, Any]]]] = {
    "model": (models.foreign, _model),
    "data": (sources.foreign, _data),
    "representation": (lambda: {*registered_rows(), *families.foreign()}, _row),
}
