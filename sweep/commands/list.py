"""`sweep list`: prints the representations, models, data sets, protocols and grids, one line each."""

import argparse

import yaml
from rich.console import Console
from rich.text import Text

from sweep.config.conf import CONF
from sweep.registry import families, models, sources

GROUPS = ("representation", "model", "data", "protocol", "grid")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = "Print the representations, models, data sets, protocols and grids that can be chosen."
    parser.add_argument("group", metavar="GROUP", nargs="?", choices=GROUPS, help=f"one of {', '.join(GROUPS)}")


def run(arguments: argparse.Namespace) -> int:
    """Print the options of one group, or of all groups."""
    console = Console(highlight=False, soft_wrap=True)
    for group in [arguments.group] if arguments.group else GROUPS:
        console.print(Text(f"{'+' * (group == 'grid')}{group}=", "bold"))
        for name, about in options(group).items():
            console.print(Text(f"  {name:17} {about}".rstrip()))
    return 0


def options(group: str) -> dict[str, str]:
    """List the options of a group of conf/ with one sentence on each; representations in the order of a table.

    Args:
        group: name in GROUPS.
    """
    paths = {path.stem: path for path in sorted((CONF / group).glob("*.yaml"))}
    if group == "representation":
        return _representations(paths)
    registries = {"model": models, "data": sources}
    if group in registries:
        registry = registries[group]
        return {name: _first_line(registry[name]) for name in [*paths, *registry.names()]}
    return {name: _comment(path) for name, path in paths.items()}


def _representations(paths: dict) -> dict[str, str]:
    """Describe the rows: the paper's, in the order of a table, then those of published systems by name."""
    found = {}
    for name, path in paths.items():
        own = yaml.safe_load(path.read_text())
        base = own.pop("defaults")[0].removeprefix("base/").removesuffix("@_here_")
        if base not in families:
            found[name] = ((1, 0, name), _comment(path))
            continue
        numbers = ", ".join(f"{key}={value}" for key, value in own.items())
        order = (0, families[base].ORDER, [int(part) for part in name.split("-")[1:] if part.isdecimal()])
        found[name] = (order, f"{_first_line(families[base])} {numbers}")
    return {name: about for name, (_, about) in sorted(found.items(), key=lambda item: item[1][0])}


def _first_line(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _comment(path) -> str:
    """First comment line of a file."""
    lines = path.read_text().splitlines()
    told = [line[1:].strip() for line in lines if line.startswith("#") and "@package" not in line]
    return " ".join(told[:1])
