"""Make one folder name of any text: readable, never a path, and never the same for two texts."""

import hashlib
import re

_LONGEST = 200  # bytes; file systems take 255, and copies such as "<name>.bak" have to fit too
_UNSAFE = frozenset('/\\:*?"<>|%~+')  # separators, what Windows refuses, and what has a meaning here
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # no file on Windows can be called so


def folder_name(*parts: str) -> str:
    """Make the name of one folder of texts, joined by "+".

    A character that cannot stand in a file's name, or would be overlooked there, is written as %XX, its UTF-8 bytes. A
    name of more than 200 bytes is cut and ends with "~" and a hash of the whole. Different parts have different names.

    >>> folder_name("cqt-48", "norm=none"), folder_name("../a"), folder_name("a/b")
    ('cqt-48+norm=none', '%2E.%2Fa', 'a%2Fb')

    Args:
        parts: any texts.
    """
    name = "+".join("".join(c if c.isprintable() and c not in _UNSAFE else _escaped(c) for c in part) for part in parts)
    if not name or name[0] in ". " or _DEVICES.match(name):
        name = _escaped(name[:1]) + name[1:]
    if name[-1] in ". ":
        name = name[:-1] + _escaped(name[-1])
    if len(name.encode()) <= _LONGEST:
        return name
    mark = "~" + hashlib.sha256(name.encode()).hexdigest()[:16]
    return name.encode()[: _LONGEST - len(mark)].decode(errors="ignore") + mark


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass")) or "%"
