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
    """Do what a page says, in a folder: write its files, run its commands and its Python.

    Args:
        page: in Markdown.
        folder: empty one to do it in.
        data: recordings as the demo set has them, which stand for it.
        python: that runs.

    Returns:
        What each command printed.
    """
    printed, code = [], []
    (folder / "data").mkdir()
    (folder / "data" / "demo").symlink_to(data)

    def run(arguments: list[str]) -> None:
        status, text = python.run(arguments, folder, folder / "printed.txt")
        assert status == 0, f"python {shlex.join(arguments)}\n{text}"
        printed.append(text)

    for block in blocks(page):
        if block.title:
            (folder / block.title).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.title).write_text(block.text)
        elif block.reason:
            continue
        elif block.language == "python":  # each goes on from those before it
            code.append(block.text)
            run(["-c", "\n".join(code)])
        elif block.language == "sh":
            for command in block.commands():
                run(small(command))
    return printed


def small(command: list[str]) -> list[str]:
    """The arguments of a command of Python, and if it is a sweep, of a few steps on a few seconds."""
    program, *words = command
    assert program in ("python", "sweep"), f"{shlex.join(command)}: say why no test runs it: <!-- not run: ... -->"
    started = ["-m", "sweep"]
    if program == "python":
        started, words = words[:1], words[1:]
        if not any("=" in word for word in words) and words[:1] != ["report"]:  # no sweep of a script's
            return [*started, *words]
    if not words or words[0] not in COMMANDS:
        if not any(word.startswith("data") for word in words):
            words += ["data=musicnet", "data.root=data/demo", "+data.name=demo"]
        words += SMALL
    elif words[0] == "report":
        words.append("--tables-only")  # tests/test_page.py draws pages
    return [*started, *words]
