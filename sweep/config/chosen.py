"""The base class of the groups of conf/ that choose a class by its registered name: a model, a data source."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from sweep.checks import check_choice
from sweep.fields import Group, check_keys, keys_of
from sweep.registry import Registry, check_options, options_of


@dataclass(frozen=True, kw_only=True)
class Chosen(Group):
    """A group that chooses a class by its registered name; that class may have keys of its own.

    Attributes:
        options: values of those keys.
    """

    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], place: str | None = None) -> Self:
        own = {field.name for field in keys_of(cls)}
        options = {key: value for key, value in tree.items() if key not in own}
        made = super().from_tree({key: value for key, value in tree.items() if key in own}, place)
        return replace(made, options=options)

    def record(self) -> dict[str, Any]:
        return {**super().record(), **self.options}

    def choose(self, registry: Registry, name: str) -> None:
        """Check the chosen name, and the keys of its class.

        Raises:
            ValueError: names the key, the value and the remedy.
        """
        if name not in registry:
            check_choice(registry.kind, name, registry.names())
        if self.options:
            cls = registry[name]
            own = [field.name for field in keys_of(type(self))]
            check_keys(self.options, [*own, *options_of(cls, registry.given)], [], self.place)
            check_options(cls, registry.given, self.options, self.place)
