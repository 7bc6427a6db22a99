"""Tell whether the code of a class has changed: a digest of its statements, whatever comments and docstrings say."""

import ast
import hashlib
import inspect
import linecache
import os
from collections.abc import Iterator
from typing import Any

_OTHERS = ("sweep", "builtins", "abc", "typing", "torch")  # packages whose classes are not one's own


def digest(cls: type) -> str:
    """Return a digest of the statements of a class and of its bases but for those of this package and of PyTorch.

    What they call elsewhere does not count, nor do comments, docstrings, sentences under attributes, line breaks and
    the class's place in its file.

    Args:
        cls: class of a module, a script, or a notebook's cell.
    """
    own = (base for base in cls.__mro__ if base.__module__.partition(".")[0] not in _OTHERS)
    # Without a definition it was made by a call, or typed into an interpreter that keeps no lines.
    told = [_told(definition) if (definition := _definition(base)) else "unknown" for base in own]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _definition(cls: type) -> ast.ClassDef | None:
    """Find the statement that defined a class, the last of its qualified name in its file or cell."""
    files = [it.__code__.co_filename for it in vars(cls).values() if inspect.isfunction(it)]
    try:
        files.append(inspect.getsourcefile(cls) or "")
    except (TypeError, OSError):  # a notebook has no file
        pass
    # A class without functions names no cell of a notebook: it is the last one that has such a class.
    files += (file for file in reversed(list(linecache.cache)) if not os.path.exists(file))
    for file in dict.fromkeys(files):
        linecache.checkcache(file)
        try:
            tree = ast.parse("".join(linecache.getlines(file)))
        except SyntaxError:
            continue
        found = [node for name, node in _classes(tree) if name == cls.__qualname__]
        if found:
            return found[-1]
    return None


def _classes(node: ast.AST, place: str = "") -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield all classes below a node with their qualified names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield f"{place}{child.name}", child
            yield from _classes(child, f"{place}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(child, f"{place}{child.name}.<locals>.")
        else:
            yield from _classes(child, place)


def _told(node: Any) -> Any:
    """Return a tree as lists, without texts that stand alone; the same in all versions of Python, unlike ast.dump."""
    if isinstance(node, list):
        return [_told(part) for part in node if not _is_text(part)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return [type(node).__name__, *([name, _told(value)] for name, value in fields)]


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
