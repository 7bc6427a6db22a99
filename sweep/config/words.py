"""Read the words of a command line, KEY=VALUE, and say in one line what Hydra does not understand of them."""

import contextlib
import difflib
import functools
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from sweep.checks import shown
from sweep.config.run import RunConfig
from sweep.fields import Group, Key, keys_of
from sweep.registry import Registry, families, models, options_of, sources
from sweep.representations import STEPS

_OF_A_STEP = re.compile(rf"representation\.({'|'.join(STEPS)})\.\w+")
_OF_A_CLASS = re.compile(r"(representation|model|data)\.\w+")
GRIDS = "grid"  # a group of conf/ that is no part of a run's configuration

# Hydra's options whose value is the next word.
_WITH_VALUE = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--package", "-p", "--cfg", "-c")


def as_typed(word: str) -> str:
    """Return a word for Hydra in which text stays as it was typed: a folder or an option called 2024, 1e3 or true.

    Folders keep all characters that leave one meaning only, such as accents, "~" and "="; a comma separates values.

    Args:
        word: word of the command line.

    Raises:
        ValueError: the value of a key that takes text is a list or a mapping.
    """
    key, _, value = word.partition("=")
    about = _texts().get(key.removeprefix("+").removeprefix("+"))
    if _OF_A_STEP.fullmatch(key) or about is None and _OF_A_CLASS.fullmatch(key):
        return f"++{word}"  # Hydra would look for the key in the default row, model or data set; it is checked later
    if about is None or not value:
        return word
    try:
        read = _parser().parse_override(word).value()
    except HydraException:
        return word if set(value) & set(",'\"\\$") else f"{key}={quoted(value)}"
    if isinstance(read, ChoiceSweep) and read.simple_form:
        parts = value.split(",")
        if len(parts) != len(read.list):  # a comma in quotes
            return word
        return f"{key}={','.join(_text(*both, about) for both in zip(parts, read.list, strict=True))}"
    if isinstance(read, list | dict) and about.text == "folder":
        raise ValueError(f"{key} {shown(value)}: needs a folder, {_remedy(key, value)}")
    return f"{key}={_text(value, read, about)}"


def typed_value(word: str) -> tuple[str, str]:
    """Split a word that Hydra has read into its key, without a sign before it, and its value, without its quotes."""
    key, _, value = word.partition("=")
    read = _parser().parse_override(word).value()
    return key.lstrip("+~"), read if isinstance(read, str) else value


def read_values(word: str) -> tuple[str, list[Any]]:
    """Read a word of a command line without Hydra's composition: its key, and its values between commas.

    Raises:
        ValueError: it is no KEY=VALUE, or its value cannot be read.
    """
    if "=" not in word:
        raise ValueError(f"{shown(word)}: needs to be KEY=VALUE")
    with one_line([word]):
        override = _parser().parse_override(as_typed(word))
    read = override.value()
    values = read.list if isinstance(read, ChoiceSweep) else [read]
    return override.key_or_group, [value.text if isinstance(value, QuotedString) else value for value in values]


def quoted(text: str) -> str:
    """Write any text as a value that Hydra takes literally."""
    escaped = re.sub(r"(\\*)\$\{", lambda found: f"{2 * found[1]}\\${{", text)  # otherwise it names another key
    return QuotedString(escaped, Quote.double).with_quotes()


@contextlib.contextmanager
def one_line(words: Sequence[str]) -> Iterator[None]:
    """Turn each error of Hydra and OmegaConf in a block into a ValueError of one line.

    Args:
        words: words of the command line that Hydra reads in the block.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    before = os.environ.get("HYDRA_FULL_ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # otherwise Hydra prints an error and exits
    try:
        yield
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, RecursionError) as error:
        raise ValueError(explain(error, words)) from error
    finally:
        os.environ.pop("HYDRA_FULL_ERROR") if before is None else os.environ.update(HYDRA_FULL_ERROR=before)


def explain(error: Exception, words: Sequence[str]) -> str:
    """Explain in one line what is wrong with the words of a command line.

    Args:
        error: what Hydra or OmegaConf raised.
        words: words of the command line.
    """
    pairs = zip(("", *words), words, strict=False)
    words = [word for before, word in pairs if not word.startswith("-") and before not in _WITH_VALUE]
    for word in words:
        key, equals, value = word.partition("=")
        if not key.strip("+~") or not (equals or word.startswith("~")):
            return f"{shown(word)}: needs to be KEY=VALUE"
        try:
            _parser().parse_override(word)
        except HydraException:
            return f"{shown(key)} {shown(value)}: cannot be read, {_remedy(key, value)}"
        except RecursionError:
            return f"{shown(key)} {shown(value)}: has too many brackets inside each other"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        missing = str(error.missing_cfg_file)
        group, option = missing.rsplit("/", 1) if missing.startswith("hydra/") else missing.split("/", 1)
        known = [str(name) for name in error.options or ()]
        remedy = f"; {_meant(option, known, known)}" if known else ""
        return f"{'+' * (group == GRIDS)}{shown(group)}={shown(option)}: no such option{remedy}"
    known = [*_known(), *_of_classes(words)]
    for word in words:
        key, equals, value = word.partition("=")
        name = key.lstrip("+~")
        if name == GRIDS and not key.startswith("+"):
            return f"{shown(word)}: a grid is added with a plus, +{shown(word)}"
        if name not in known and name.partition(".")[0] not in (GRIDS, "hydra") and not name.startswith("hydra/"):
            group = f"{name.rpartition('.')[0]}."
            siblings = [key for key in known if key.startswith(group)] or [key for key in known if "." not in key]
            return f"{shown(name)}{f' ({shown(value)})' * bool(equals)}: unknown key; {_meant(name, known, siblings)}"
    said = [str(error), *([str(error.__cause__)] if error.__cause__ else [])]
    lines = (line.strip() for text in said for line in text.splitlines()[:2] if "full_key" not in line)
    text = shown("; ".join(filter(None, lines)) or type(error).__name__)
    if place := getattr(error, "full_key", None):
        return f"{place}: {text}"
    for word in words:
        key, _, value = word.partition("=")
        if "${" in value:
            return f"{shown(key)} {shown(value)}: {text}; {_remedy(key, value)}"
    return text


def _text(typed: str, read: object, about: Key) -> str:
    """Return a value with quotes if Hydra reads something else than text, which null may be."""
    other = isinstance(read, bool | int | float) or (read is None and not about.takes_null)
    return quoted(typed.strip()) if other else typed


def _remedy(key: str, value: str) -> str:
    """Say how a value is written so that Hydra takes it literally, as a shell passes it on."""
    inner = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    example = shown(shlex.quote(f"{key}={quoted(inner)}"))
    return f"as text it is written {example}"


def _meant(word: str, known: Sequence[str], listed: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(listed)}"


@functools.cache
def _texts() -> dict[str, Key]:
    """The keys that take text, and the groups, whose options are names of files."""
    found = {}
    for name, key in _keys(RunConfig):
        if key.text:
            found[name] = key
        elif key.groups:
            found[name] = Key(key.check, "", text="words")
    return found | {GRIDS: Key(lambda key, value: None, "", text="words")}


@functools.cache
def _known() -> list[str]:
    found = [name for name, _ in _keys(RunConfig)]
    for step, registry in STEPS.items():
        found += [
            f"representation.{step}.{field.name}" for cls in registry.importable().values() for field in keys_of(cls)
        ]
    found += [f"representation.{field.name}" for cls in families.importable().values() for field in keys_of(cls)]
    return list(dict.fromkeys(found))


def _of_classes(words: Sequence[str]) -> Iterator[str]:
    """Yield the keys of the classes that words choose, such as model.hidden for model=mine."""
    for group, registry in (("model", models), ("data", sources)):
        chosen = [word.partition("=")[2] for word in words if word.startswith(f"{group}=")]
        for name in {name.strip() for value in chosen for name in value.split(",")}:
            if name in registry:
                yield from (f"{group}.{key}" for key in options_of(registry[name], registry.given))


def _keys(cls: type[Group], place: str = "") -> Iterator[tuple[str, Key]]:
    """Yield the keys of a group and of the groups in it; not those of a row's steps, which may be others' classes."""
    for field in keys_of(cls):
        key = field.metadata["key"]
        yield f"{place}{field.name}", key
        for group in () if isinstance(key.groups, Registry) else (key.groups or {}).values():
            yield from _keys(group, f"{place}{field.name}.")


@functools.cache
def _parser() -> OverridesParser:
    return OverridesParser.create()
