"""What the documentation says to do can be done: its commands run, its files and edits work, its options exist."""

import os
import re
import shutil

import pytest
from conftest import ROOT
from documented import DOCS, blocks, follow
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from omegaconf import OmegaConf
from preloaded import Preloaded
from test_grid import composed

from sweep.representations import from_settings
from sweep.settings import check_cluster, check_keys, check_protocol

# What a page may change of what is there: the registry that it names.
REGISTRIES = {"howto/model.md": {"sweep/models.py"}}
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


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed(page, small_set, python, tmp_path):
    """In a copy of the program, of which nothing changes but the registry that the page names."""
    before = {}
    for part in ("sweep", "conf"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        before |= {path: path.read_bytes() for path in (tmp_path / part).rglob("*") if path.is_file()}
    printed = follow(DOCS / page, tmp_path, small_set, python)
    tables = [text for text in printed if "runs done" in text]
    for text in tables:  # every run of every sweep
        assert all(done == asked for done, asked in re.findall(r"(\d+) of (\d+) runs done", text))
    assert tables or page in ("howto/slurm.md", "howto/gpus.md")
    changed = {str(path.relative_to(tmp_path)) for path, content in before.items() if path.read_bytes() != content}
    assert changed == REGISTRIES.get(page, set())


@pytest.mark.parametrize("page", [path for path in WITH_COMMANDS if "python -m sweep " in path.read_text()], ids=str)
def test_every_sweep_that_is_shown_has_options_that_exist(page):
    """Also those that the tests cannot run, for want of a cluster, a GPU or MusicNet."""
    for block in blocks(page):
        for command in block.commands("python -m sweep ") if block.language == "sh" else ():
            if "--config-dir" not in command:
                check(command[3:])


def check(overrides: list[str]) -> None:
    """Compose the first run of a sweep and check its values."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    first = []
    for text, override in zip(overrides, parsed, strict=True):
        value = override.value()
        if isinstance(value, ChoiceSweep):
            text = f"{override.key_or_group}={value.list[0]}"
        first.append(text)
    if any(text.startswith("model=mlp") for text in first):  # what a how-to page adds
        first = [text for text in first if not text.startswith("model=")]
    if any("toy" in text or "mel-1024-64" in text for text in first):
        return
    config = composed(*first)
    check_protocol({**config.protocol, "name": "x"})
    check_cluster(OmegaConf.to_container(config.cluster), config.device)
    check_keys("frontend", dict(config.frontend), set(composed().frontend))
    if "+grid" not in " ".join(first):
        name = next((text.partition("=")[2] for text in first if text.startswith("representation=")), "cqt-48")
        from_settings({**config.representation, "name": name})


@pytest.mark.parametrize("page", [*DOCS.glob("moving/*.md"), *DOCS.glob("reference/*.md")], ids=lambda path: path.stem)
def test_the_python_of_a_page_runs(page):
    """Those of docs/moving compare with the other library, number by number."""
    if page.parent.name == "moving":
        pytest.importorskip({"nnaudio": "nnAudio", "librosa": "librosa"}[page.stem])
    names = {}
    for block in blocks(page):
        if block.language == "python" and not block.title:
            exec(compile(block.text, str(page), "exec"), names)  # noqa: S102
