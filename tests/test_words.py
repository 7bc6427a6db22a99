"""Docstrings read as sentences: each says what the thing does, and each argument's line says what the argument is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SWEEP = Path(__file__).resolve().parents[1] / "sweep"
MODULES = sorted(SWEEP.rglob("*.py"))
SECTIONS = ("Args", "Attributes", "Returns", "Raises")
PREPOSITIONS = ("of", "for", "in", "to", "that", "which", "as", "from", "by", "on", "with")
# The start of an entry: one name or several, then what it is. "f_min, f_max: corners, in Hz."
ENTRY = re.compile(r"(?P<names>[*`\w.]+(?:, [*`\w.]+)*):(?:\s+(?P<text>.*))?$")


def entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each entry under Args, Attributes, Returns and Raises.

    What stands under Returns needs no name; its first line is then the text, and "Returns" the name.
    """
    lines = [*docstring.expandtabs().splitlines(), ""]
    for start, line in enumerate(lines):
        section = line.strip().removesuffix(":")
        if section not in SECTIONS or not line.strip().endswith(":"):
            continue
        margin = len(line) - len(line.lstrip())
        block = []
        for below in lines[start + 1 :]:
            if not below.strip() or len(below) - len(below.lstrip()) <= margin:
                break
            block.append(below)
        if not block:
            yield section, ""
            continue
        indent = len(block[0]) - len(block[0].lstrip())
        for at, below in enumerate(block):
            if len(below) - len(below.lstrip()) > indent:
                continue
            if match := ENTRY.match(below.strip()):
                deeper = block[at + 1].strip() if at + 1 < len(block) and block[at + 1][indent] == " " else ""
                yield match["names"], match["text"] or deeper
            elif section != "Returns":
                yield below.strip(), ""
            elif at == 0:
                yield section, below.strip()


def documented(tree: ast.Module) -> Iterator[tuple[str, ast.Module | ast.ClassDef | ast.FunctionDef, bool]]:
    """Yield each module, class and function with its dotted name and whether it needs a docstring.

    It needs one if no part of its name starts with an underscore and no function holds it. A method of a class that has
    a base class may inherit the base's docstring.
    """

    def below(node: ast.AST, place: str, public: bool, heir: bool):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                inner = public and not child.name.startswith("_")
                yield f"{place}{child.name}", child, inner
                yield from below(child, f"{place}{child.name}.", inner, bool(child.bases))
            elif isinstance(child, ast.FunctionDef):
                written = ast.get_docstring(child) is not None
                yield f"{place}{child.name}", child, public and not child.name.startswith("_") and (written or not heir)
                yield from below(child, f"{place}{child.name}.", False, False)
            else:
                yield from below(child, place, public, heir)

    yield "module", tree, True
    yield from below(tree, "", True, False)


def faults(tree: ast.Module) -> list[str]:
    """List what is wrong with the docstrings of a module, one line each."""
    found = []
    for name, node, needed in documented(tree):
        docstring = ast.get_docstring(node)
        if docstring is None:
            if needed:
                found.append(f"{name}: no docstring")
            continue
        first = docstring.splitlines()[0] if docstring else ""
        if needed and not first.endswith((".", ":")):
            found.append(f"{name}: the first line ends without a full stop: {first!r}")
        for entry, text in entries(docstring):
            if not text:
                found.append(f"{name}: {entry}: says nothing")
            elif text.split()[0].lower() in PREPOSITIONS:
                found.append(f"{name}: {entry}: starts with a bare preposition: {text!r}")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SWEEP).as_posix())
def test_docstrings_read_as_sentences(path):
    assert faults(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "no docstring"),
        ('"""A module"""', "full stop"),
        ('"""Reads."""\ndef read(path): ...', "read: no docstring"),
        ('"""Reads."""\ndef _read(path):\n    """Read.\n\n    Args:\n        path: of it.\n    """', "'of it.'"),
        ('"""Reads."""\ndef read(path):\n    """Read.\n\n    Args:\n        path:\n    """', "path: says nothing"),
        ('"""Reads."""\ndef read():\n    """Read.\n\n    Returns:\n        in Hz.\n    """', "'in Hz.'"),
    ],
)
def test_a_fault_is_found(source, fault):
    (found,) = faults(ast.parse(source))
    assert fault in found
