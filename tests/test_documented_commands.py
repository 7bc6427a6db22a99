"""What the documentation says to do can be done: its commands run, its files work, its options exist."""

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

# tests/test_notebook.py runs the cells of howto/notebook.md.
HOW_TO = sorted(path for path in (DOCS / "howto").glob("*.md") if path.stem != "notebook")
PAGES = ["tutorial.md", *(f"howto/{path.name}" for path in HOW_TO)]
LONG = ("tutorial.md", *(f"howto/{name}.md" for name in ("across", "dataset", "model", "representation")))  # 6 to 30 s
WITH_COMMANDS = [
    *(path for path in sorted(DOCS.rglob("*.md"))),
    *(ROOT / name for name in ("README.md", "data/README.md", "CONTRIBUTING.md")),
    *sorted(ROOT.glob("experiments/*/README.md")),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the package as a wheel has it: conf/ in it, and nothing beside it."""
    site, ignore = tmp_path_factory.mktemp("site"), shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sweep", site / "sweep", ignore=ignore)
    shutil.copytree(ROOT / "conf", site / "sweep" / "conf", ignore=ignore)
    return site


@pytest.fixture(scope="module")
def python(installed):
    how = {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    preloaded = Preloaded({**os.environ, **how})
    yield preloaded
    preloaded.close()


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.long] * (page in LONG)) for page in PAGES])
def test_a_page_can_be_followed(page, small_set, installed, python, tmp_path):
    """In an empty folder, and no file of the installed package changes."""
    before = contents(installed)
    printed = follow(DOCS / page, tmp_path, small_set, python)
    tables = [text for text in printed if "runs done" in text]
    for text in tables:  # every run of every sweep
        assert all(done == asked for done, asked in re.findall(r"(\d+) of (\d+) runs done", text))
    assert tables or page in ("howto/slurm.md", "howto/gpus.md", "howto/sets.md")
    assert contents(installed) == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
    if "data=folder" in first and not any(text.startswith("data.root") for text in first):
        first.append("data.root=here")
    make_config(*first, device="auto")


@pytest.mark.parametrize("page", [*DOCS.glob("moving/*.md"), *DOCS.glob("reference/*.md")], ids=lambda path: path.stem)
def test_the_python_of_a_page_runs(page):
    """Those of docs/moving compare with the other library, number by number."""
    if page.parent.name == "moving":
        pytest.importorskip({"nnaudio": "nnAudio"}.get(page.stem, page.stem))
    names = {}
    for block in blocks(page):
        if block.language == "python" and not block.title:
            exec(compile(block.text, str(page), "exec"), names)  # noqa: S102
