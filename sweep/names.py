"""Write a text as the name of one folder, never a path and never the same for two texts; and show texts as they are."""

import contextlib
import hashlib
import re
import unicodedata
from urllib.parse import unquote

_LONGEST = 200  # bytes; file systems take 255, and copies such as "<name>.bak" have to fit too
_UNSAFE = frozenset('/\\:*?"<>|%~+')  # separators, what Windows refuses, and what has a meaning here
_CUT = re.compile(r"~[0-9a-f]{16}$")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)  # no file on Windows can be called so

_SPACES = "\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_JOINERS = "\u200c\u200d"  # which several scripts and the emoji need


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


def name_of_folder(folder: str) -> str | None:
    """Return the text of which `folder_name` made a folder's name; None if it was cut.

    >>> name_of_folder(folder_name("cqt-48", "f_min=440/16"))
    'cqt-48+f_min=440/16'
    """
    if _CUT.search(folder):
        return None
    if folder == "%":
        return ""
    try:
        return unquote(folder, errors="surrogatepass")
    except UnicodeDecodeError:  # a folder of another hand
        return unquote(folder, errors="backslashreplace")


def plain(text: str) -> str:
    r"""Put a text on one line and spell out what a terminal or a page would obey instead of showing it.

    Breaks of a line become spaces. Control characters, marks that turn the direction of writing, and bytes of a file's
    name that are not UTF-8 are written with a backslash.

    >>> print(plain("a\nb \x1b[31m \udcff \u66f2"))
    a b \x1b[31m \xff 曲
    """
    return text if text.isprintable() else "".join(map(_literal, text.replace("\r\n", " ")))


def spelled(text: str) -> str:
    r"""Write a text as `plain` does, but spell out breaks of a line, so that different names stay different.

    >>> print(spelled("Pr\u00e9lude\n\udcff.wav"))
    Prélude\n\xff.wav
    """
    return plain("".join(c.encode("unicode_escape").decode() if c in _SPACES else c for c in text))


def short(text: str, length: int) -> str:
    """Cut a text that is longer in its middle, for a picture, which has no room for it.

    Args:
        text: text on one line.
        length: greatest number of characters.

    >>> short("a-recording-with-a-long-name", 15)
    'a-recor…ng-name'
    """
    left = length // 2
    return text if len(text) <= length else f"{text[:left]}\N{HORIZONTAL ELLIPSIS}{text[left + 1 - length :]}"


def say(console, text: str, style: str = "") -> None:
    """Print a text on a console of rich as it is: on one line, with neither markup nor emoji codes.

    Args:
        console: console to print on.
        text: the text; a line longer than the console is left to the terminal.
        style: rich's style of the whole text.
    """
    from rich.text import Text

    with contextlib.suppress(OSError):  # a full disk under a redirected output: the results are elsewhere
        console.print(Text(plain(text), style), soft_wrap=True)


def _literal(character: str) -> str:
    if character in _SPACES:
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in _JOINERS:
        byte = 0xDC80 <= ord(character) <= 0xDCFF  # as Python reads a byte of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}" if byte else character.encode("unicode_escape").decode()
    return character


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass")) or "%"
