"""Tell whether the code of a class has changed: a digest of its statements, whatever comments and docstrings say."""

import ast
import hashlib
import inspect
import linecache


def digest(cls: type) -> str:
    """Return a digest of a class's own statements: what they call elsewhere does not count.

    Comments, docstrings, line breaks and the class's place in its file do not count either.

    Args:
        cls: class of a module, a script, or a notebook's cell.
    """
    definition = _definition(cls)
    if definition is None:  # made by a call, or typed into an interpreter that keeps no lines
        return "unknown"
    for node in ast.walk(definition):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            if isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
                body.pop(0)
    return hashlib.sha256(ast.unparse(definition).encode()).hexdigest()[:16]  # the same text in all versions of Python


def _definition(cls: type) -> ast.ClassDef | None:
    """Find the statement that defined a class, the last of its name in its file or cell."""
    files = [it.__code__.co_filename for it in vars(cls).values() if inspect.isfunction(it)]
    try:
        files.append(inspect.getsourcefile(cls) or "")
    except (TypeError, OSError):  # a notebook has no file
        pass
    name = cls.__qualname__.rpartition(".")[2]
    for file in dict.fromkeys(files):
        try:
            tree = ast.parse("".join(linecache.getlines(file)))
        except SyntaxError:
            continue
        found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
        if found:
            return found[-1]
    return None
