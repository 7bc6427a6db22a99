"""What the documentation says to do can be done: its commands run, its files and edits work, its options exist."""

import os
import re
import shutil

import pytest
from configs import make_config
from conftest import ROOT
from documented import DOCS, blocks, follow
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from preloaded import Preloaded

from sweep.commands.parser import COMMANDS

PAGES = ["tutorial.md", *(f"howto/{path.name}" for path in sorted((DOCS / "howto").glob("*.md")))]
WITH_COMMANDS = [
    *(path for path in sorted(DOCS.rglob("*.md"))),
    *(ROOT / name for name in ("README.md", "data/README.md", "CONTRIBUTING.md")),
    *sorted(ROOT.glob("experiments/*/README.md")),
]


@pytest.fixture(scope="module")
def python():
    preloaded = Preloaded({**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "OMP_NUM_THREADS": "1"})
    yield preloaded
    preloaded.close()


@pytest.mark.parametrize("page", [pytest.param(PAGES[0], marks=pytest.mark.long), *PAGES[1:]])
def test_a_page_can_be_followed(page, small_set, python, tmp_path):
    """In a copy of the program, of which no file changes."""
    before = {}
    for part in ("sweep", "conf"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        before |= {path: path.read_bytes() for path in (tmp_path / part).rglob("*") if path.is_file()}
    printed = follow(DOCS / page, tmp_path, small_set, python)
    tables = [text for text in printed if "runs done" in text]
    for text in tables:  # every run of every sweep
        assert all(done == asked for done, asked in re.findall(r"(\d+) of (\d+) runs done", text))
    assert tables or page in ("howto/slurm.md", "howto/gpus.md")
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.parametrize("page", [path for path in WITH_COMMANDS if "\nsweep " in path.read_text()], ids=str)
def test_every_sweep_that_is_shown_has_options_that_exist(page):
    """Also those that the tests cannot run, for want of a cluster, a GPU or MusicNet."""
    for block in blocks(page):
        for command in block.commands("sweep ") if block.language == "sh" else ():
            words = command[1:]
            if words[:1] == ["plan"] or not words or words[0] not in COMMANDS and "--config-dir" not in words:
                check([word for word in words if word != "plan"])


def check(overrides: list[str]) -> None:
    """Compose the first run of a sweep and check its values."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    first = []
    for text, override in zip(overrides, parsed, strict=True):
        value = override.value()
        if isinstance(value, ChoiceSweep):
            text = f"{override.key_or_group}={value.list[0]}"
        if not text.startswith("+grid="):
            first.append(text)
    if any(text.startswith(("model=mlp", "model=framewise")) for text in first):  # what a how-to page adds
        first = [text for text in first if not text.startswith("model=")]
    if any("toy" in text or "mel-1024-64" in text for text in first):
        return
    if "data=folder" in first and not any(text.startswith("data.root") for text in first):
        first.append("data.root=here")
    make_config(*first, device="auto")


@pytest.mark.parametrize("page", [*DOCS.glob("moving/*.md"), *DOCS.glob("reference/*.md")], ids=lambda path: path.stem)
def test_the_python_of_a_page_runs(page):
    """Those of docs/moving compare with the other library, number by number."""
    if page.parent.name == "moving":
        pytest.importorskip({"nnaudio": "nnAudio", "librosa": "librosa"}[page.stem])
    names = {}
    for block in blocks(page):
        if block.language == "python" and not block.title:
            exec(compile(block.text, str(page), "exec"), names)  # noqa: S102
