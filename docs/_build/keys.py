"""The table of a group's keys for the configuration page, from the fields of its dataclass and the file in conf/."""

from pathlib import Path

import yaml

from sweep.config import groups, run
from sweep.fields import Group, keys_of, sentences
from sweep.registry import families
from sweep.representations import Representation

COMPUTED = ("changed", "fingerprint")  # fields that no configuration sets
CONF = Path(__file__).resolve().parents[2] / "conf"


def table(name: str, file: str | None = None) -> str:
    """The keys of a group as a Markdown table.

    Args:
        name: of the dataclass.
        file: below conf/ that holds the defaults, "#" and a key behind it for a part of it; None: there are none.

    Raises:
        ValueError: there is no such group.
    """
    cls = _classes().get(name)
    if cls is None:
        raise ValueError(f"keys {name}: choose one of {', '.join(_classes())}")
    defaults, said = _defaults(file), sentences(cls)
    lines = ["| key | default | takes | |", "| --- | --- | --- | --- |"]
    for field in keys_of(cls):
        key = field.metadata["key"]
        inherited = cls is not Representation and issubclass(cls, Representation) and field.name not in cls_fields(cls)
        if key.groups is not None or inherited or field.name in COMPUTED or field.name == "name" and field.name not in defaults:
            continue
        default = _plain(defaults[field.name]) if field.name in defaults else ""
        place = "" if issubclass(cls, Representation) else cls.PLACE
        mark = "" if key.changes_result else " °"
        spelled = f" → `+{key.spelling.format('…')}`" if key.spelling else ""
        about = said[field.name].replace("|", "\\|")
        lines.append(f"| `{place}{field.name}`{mark} | {default} | {key.takes} | {about}{spelled} |")
    return "\n".join(lines)


def cls_fields(cls: type[Group]) -> set[str]:
    """The fields that a family and its bases below `Representation` say themselves."""
    below = [base for base in cls.__mro__ if issubclass(base, Representation) and base is not Representation]
    return {name for base in below for name in base.__annotations__}


def _classes() -> dict[str, type[Group]]:
    modules = (groups, run)
    found = [it for module in modules for it in vars(module).values() if isinstance(it, type) and issubclass(it, Group)]
    return {it.__name__: it for it in [*found, Representation, *(families[name] for name in families.names())]}


def _defaults(file: str | None) -> dict:
    """What a file in conf/ sets, over what the files that it names in its defaults set."""
    if file is None:
        return {}
    path, _, part = file.partition("#")
    content = yaml.safe_load((CONF / path).read_text()) or {}
    return content[part] if part else content


def _plain(value) -> str:
    if value is None:
        return "`null`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
