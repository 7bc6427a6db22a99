"""The layout shows the architecture: few files at the top, short ones, and imports that run one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SWEEP = ROOT / "sweep"
# From the bottom up: each may import what stands before it. CONTRIBUTING.md draws the same.
LAYERS = [
    {"checks", "clock", "locks", "files", "fields", "names", "registry", "terminal", "walking"},
    {"filters"},
    {"engines"},
    {"transforms"},
    {"representations"},
    {"data"},
    {"config"},
    {"results"},
    {"training"},
    {"scheduling"},
    {"report"},
    {"rescoring", "transcribe"},
    {"commands"},
    {"testing"},
    {"program"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in SWEEP.rglob("*.py") if path != SWEEP / "__init__.py")


def imported(path: Path) -> set[str]:
    """The parts of the package that a module imports, wherever in it; for the type checker alone does not count."""
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sweep":
            parts = node.module.split(".")[1:]
            names |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sweep.")}
    return names - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SWEEP).as_posix())
def test_imports_run_one_way(path):
    own = path.relative_to(SWEEP).with_suffix("").parts[0]
    assert own in LEVEL, f"{path}: where does {own} stand?"
    upwards = {name for name in imported(path) if LEVEL[name] > LEVEL[own]}
    assert not upwards


def test_few_files_stand_at_the_top_and_none_is_long():
    assert len(list(SWEEP.glob("*.py"))) <= 10
    long = {path: n for path in MODULES if (n := len(path.read_text().splitlines())) > 300}
    assert not long


def test_lightning_stays_in_training():
    for path in MODULES:
        if "lightning" in path.read_text() and path.parent != SWEEP / "training":
            assert "import lightning" not in path.read_text() and "from lightning" not in path.read_text(), path
