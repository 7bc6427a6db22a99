"""`sweep list`: prints the representations, models, data sets, protocols and grids there are, or the keys of one."""

import argparse
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from sweep.checks import check_choice
from sweep.config.conf import CONF, row_files
from sweep.config.groups import Data, Model, Protocol
from sweep.config.registered import option, registered_rows
from sweep.config.rows import row
from sweep.fields import Group, keys_of, sentences
from sweep.names import plain
from sweep.registry import Registry, explained, families, models, options_of, sources
from sweep.representations import Representation

GROUPS = ("representation", "model", "data", "protocol", "grid")
_CLASSES = {"model": (Model, models, "name"), "data": (Data, sources, "source")}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = "Print the representations, models, data sets, protocols and grids that can be chosen."
    parser.add_argument("group", metavar="GROUP", nargs="?", choices=GROUPS, help=f"one of {', '.join(GROUPS)}")
    parser.add_argument("name", metavar="NAME", nargs="?", help="one of them: print its keys and their values")


def run(arguments: argparse.Namespace) -> int:
    """Print the options of one group or of all groups, or the keys of one option.

    Raises:
        ValueError: the group has no such option, or the package that has it cannot be imported.
    """
    console = Console(highlight=False, soft_wrap=True)
    if arguments.name is not None:
        _print_keys(console, arguments.group, arguments.name)
        return 0
    for group in [arguments.group] if arguments.group else GROUPS:
        console.print(Text(f"{_sign(group)}{group}=", "bold"))
        published = _published() if group == "data" else {}
        for name, about in options(group).items():
            console.print(Text(f"  {name:17} {about}".rstrip()))
            if name in published:
                console.print(Text(f"  {'':17} {published[name]}"))
    return 0


def options(group: str) -> dict[str, str]:
    """List the options of a group of conf/ with one sentence on each; representations in the order of a table.

    Args:
        group: name in GROUPS.
    """
    paths = {path.stem: path for path in sorted((CONF / group).glob("*.yaml"))}
    if group == "representation":
        return _representations(paths)
    if group in _CLASSES:
        registry = _CLASSES[group][1]
        return {name: _class_line(registry, name) for name in dict.fromkeys([*paths, *registry.names()])}
    return {name: _comment(path) for name, path in paths.items()}


def _described(group: str) -> dict[str, str]:
    """List the options of a group with those that `options` leaves out: rows in folders, which only grids name."""
    if group != "representation":
        return options(group)
    return {name: _comment(path) for name, path in row_files().items()} | options(group)


def keys(group: str, name: str) -> list[tuple[str, str, str, str]]:
    """List the keys of an option: the key, its value as YAML writes it, what it takes, and a sentence.

    Args:
        group: name in GROUPS.
        name: name of the option.

    Raises:
        ValueError: the group has no such option, or the package that has it cannot be imported.
    """
    check_choice(f"{_sign(group)}{group}", name, _described(group))
    tree = option(group, name)
    if group == "representation":
        found = row(name)
        values = found.record()  # leaves out keys that came later where they have their defaults
        tree = {key.name: values.get(key.name, key.default) for key in keys_of(type(found)) if key.name != "name"}
        return list(_told(type(found), tree, f"{group}."))
    if group == "grid":
        params = tree["hydra"]["sweeper"]["params"]
        return [(key, " ".join(str(value).split()), "", "") for key, value in params.items()]
    if group == "protocol":
        return list(_told(Protocol, tree, f"{group}."))
    cls, registry, chosen = _CLASSES[group]
    about = registry[tree.get(chosen, name)]
    return list(_told(cls, tree, f"{group}.", about, registry.given))


def _told(
    cls: type[Group], tree: Mapping[str, Any], place: str, chosen: type | None = None, given: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the keys of a tree of a group, nested ones by their full name.

    Args:
        cls: class of the group.
        tree: values by key.
        place: prefix of the keys.
        chosen: class that the group chooses, whose constructor's arguments but those in `given` are keys, too.
    """
    fields, said = {field.name: field.metadata["key"] for field in keys_of(cls)}, sentences(cls)
    own = options_of(chosen, given) if chosen else {}
    defaults = {name: it.default for name, it in own.items() if it.default is not it.empty}
    for name, value in {**defaults, **tree}.items():
        if name in own:
            takes = inspect.formatannotation(own[name].annotation)
            yield f"{place}{name}", _as_yaml(value), takes, explained(chosen).get(name, "") if chosen else ""
        elif isinstance(value, Mapping) and (name not in fields or fields[name].groups):
            groups = fields[name].groups if name in fields else {"only": cls}  # protocol.segments holds the same keys
            inner = groups["only"] if "only" in groups else groups[value["name"]]
            yield from _told(inner, value, f"{place}{name}.")
        else:
            yield f"{place}{name}", _as_yaml(value), fields[name].takes.replace("`", ""), said.get(name, "")


def _published() -> dict[str, str]:
    """Describe the published data sets by name: size, licence and where to get them, in columns."""
    abouts = {name: cls.ABOUT for name, cls in sources.importable().items() if cls.ABOUT}
    size, licence = (max((len(about[column]) for about in abouts.values()), default=0) for column in (0, 1))
    return {name: f"{it.size:{size}}  {it.licence:{licence}}  {it.where}" for name, it in abouts.items()}


def _print_keys(console: Console, group: str, name: str) -> None:
    found = keys(group, name)
    console.print(Text(f"{_sign(group)}{group}={name}", "bold"), Text(plain(_described(group)[name])))
    wide, wider = (max((len(line[column]) for line in found), default=0) for column in (0, 1))
    if group == "data" and (published := sources[option(group, name).get("source", name)].ABOUT):
        for what, said in published._asdict().items():
            console.print(Text(f"  {what:{wide}}  {said}"))
    for key, value, takes, sentence in found:
        about = ": ".join(filter(None, (takes, sentence)))
        console.print(Text(f"  {key:{wide}}  {value:{wider}}  {about}".rstrip()))


def _representations(paths: Mapping[str, Path]) -> dict[str, str]:
    """Describe the rows: the paper's, in the order of a table, those of published systems, those of other families."""
    found: dict[str, tuple[tuple, str]] = {}
    for name, path in paths.items():
        own = yaml.safe_load(path.read_text())
        base = own.pop("defaults")[0].removeprefix("base/").removesuffix("@_here_")
        if base not in families:
            found[name] = ((1, 0, name), _comment(path))
            continue
        numbers = ", ".join(f"{key}={value}" for key, value in own.items())
        order = (0, families[base].ORDER, [int(part) for part in name.split("-")[1:] if part.isdecimal()])
        found[name] = (order, f"{_first_line(families[base])} {numbers}")
    told = {name: about for name, (_, about) in sorted(found.items(), key=lambda item: item[1][0])}
    shared = {field.name for field in keys_of(Representation)}
    for name, tree in registered_rows().items():
        numbers = ", ".join(f"{key}={_as_yaml(value)}" for key, value in tree.items() if key not in shared)
        told.setdefault(name, f"{_first_line(families[tree['family']])} {numbers}")
    broken = [name for name in families.foreign() if name not in families.importable()]
    return told | {name: _class_line(families, name) for name in broken}


def _class_line(registry: Registry, name: str) -> str:
    """Describe a class; one from outside the package with its keys, or with the reason why it cannot be imported."""
    try:
        cls = registry[name]
    except ValueError as error:
        return str(error).removeprefix(f"{registry.kind} {name}: ")
    if name not in registry.foreign():
        return _first_line(cls)
    defaults = ", ".join(f"{key}={_as_yaml(it.default)}" for key, it in options_of(cls, registry.given or ()).items())
    return f"{_first_line(cls)} {defaults}"


def _as_yaml(value: Any) -> str:
    """Write a value as a command line takes it."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _comment(path: Path) -> str:
    """First comment line of a file."""
    lines = path.read_text().splitlines()
    told = [line[1:].strip() for line in lines if line.startswith("#") and "@package" not in line]
    return " ".join(told[:1])


def _sign(group: str) -> str:
    return "+" * (group == "grid")
