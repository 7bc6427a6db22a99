"""Show names of files, rows and folders, and the texts of errors, as they are, wherever they are printed or drawn."""

import unicodedata

_SPACES = "\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_JOINERS = "\u200c\u200d"  # which several scripts and the emoji need


def plain(text: str) -> str:
    r"""Put a text on one line and spell out what a terminal or a page would obey instead of showing it.

    Breaks of a line become spaces. Control characters, marks that turn the direction of writing, and bytes of a file's
    name that are not UTF-8 are written with a backslash.

    >>> print(plain("a\nb \x1b[31m \udcff \u66f2"))
    a b \x1b[31m \udcff 曲
    """
    return text if text.isprintable() else "".join(map(_shown, text.replace("\r\n", " ")))


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

    console.print(Text(plain(text), style), soft_wrap=True)


def _shown(character: str) -> str:
    if character in _SPACES:
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character not in _JOINERS:
        return character.encode("unicode_escape").decode()
    return character
