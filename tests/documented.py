"""The code in the documentation: what stands between fences, which of it runs, and how to run it small."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from conftest import ROOT
from preloaded import Preloaded

from sweep.commands.parser import COMMANDS

DOCS = ROOT / "docs"
_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?"
    r"^```(?P<language>\w+)(?: title=\"(?P<title>.+?)\")?\n(?P<text>.*?)^```$",
    flags=re.M | re.S,
)
# So that a command of a page takes seconds; two runs of one sweep still differ in what the page varies.
SMALL = ["protocol.steps=2", "protocol.checkpoint_every=1", "protocol.scored_windows=30", "device=cpu"]


@dataclass(frozen=True)
class Block:
    """What stands between two fences.

    Attributes:
        language: after the opening fence.
        text: between them.
        title: of the file that it is, if it is one.
        reason: why the tests do not run it, if they do not.
    """

    language: str
    text: str
    title: str | None
    reason: str | None

    def commands(self, start: str = "") -> list[list[str]]:
        """The words of each line of a shell block that starts so, comments left out."""
        whole = self.text.replace("\\\n", " ")  # a backslash goes on in the next line
        lines = (line for line in whole.splitlines() if line.startswith(start))
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    found = _FENCE.finditer(page.read_text())
    return [Block(it["language"], it["text"], it["title"], it["reason"]) for it in found]


def follow(page: Path, folder: Path, data: Path, python: Preloaded) -> list[str]:
    """Do what a page says, in a folder: write its files, make its edits, run its commands and its Python.

    Args:
        page: in Markdown.
        folder: to do it in, in which a copy of the program may lie.
        data: recordings in MusicNet's layout, for the sweeps that name none.
        python: that runs.

    Returns:
        What each command printed.
    """
    printed, code = [], []

    def run(arguments: list[str]) -> None:
        status, text = python.run(arguments, folder, folder / "printed.txt")
        assert status == 0, f"python {shlex.join(arguments)}\n{text}"
        printed.append(text)

    for block in blocks(page):
        if block.title and block.language == "diff":
            edit(folder / block.title, block.text)
        elif block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text)
        elif block.reason:
            continue
        elif block.language == "python":  # each goes on from those before it
            code.append(block.text)
            run(["-c", "\n".join(code)])
        elif block.language == "sh":
            for command in block.commands():
                run(small(command, data))
    return printed


def small(command: list[str], data: Path) -> list[str]:
    """The arguments of a command of Python, and if it is a sweep, of a few steps on a few seconds."""
    program, *words = command
    assert program in ("python", "sweep"), f"{shlex.join(command)}: say why no test runs it: <!-- not run: ... -->"
    if program == "python":
        return words
    if not words or words[0] not in COMMANDS:
        words += SMALL
        if not any(word.startswith("data") for word in command[1:]):
            words += ["data=musicnet", f"data.root={data}"]
    elif words[0] == "report":
        words.append("--tables-only")  # tests/test_page.py draws pages
    return ["-m", "sweep", *words]


def edit(path: Path, difference: str) -> None:
    """Change a file as the parts of a diff say, each of which stands in it once."""
    text = path.read_text()
    for part in re.split(r"^@@\n", difference, flags=re.M):
        lines = part.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, f"{path}: {old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    path.write_text(text)
