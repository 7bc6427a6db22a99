"""What is released: one version, a wheel and an sdist that work anywhere, a public interface that is all listed."""

import importlib
import inspect
import os
import re
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

import sweep
from sweep.data.demo import make_demo

PUBLIC = ("sweep", "sweep.transforms", "sweep.filters", "sweep.representations", "sweep.data", "sweep.report")


def test_the_version_is_semantic_and_in_one_place():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", sweep.__version__)
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert headings[0] == sweep.__version__  # what has changed is told under the version that has it
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert not re.search(r"^version\s*=", (ROOT / "pyproject.toml").read_text(), flags=re.M)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_interface_is_what_the_page_lists(name):
    """What `__all__` says is there, is all that the module offers, and has its line on the page."""
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for public in module.__all__:
        assert hasattr(module, public)
    offered = {
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and key != "TYPE_CHECKING"
        and not inspect.ismodule(value)
        and getattr(value, "__module__", name).startswith(name)  # not what it imports from elsewhere
    }
    assert offered == {public for public in module.__all__ if not public.startswith("_")}
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    section = page.split(f"## {name}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` ", section, flags=re.M) == list(module.__all__)


def test_the_page_lists_no_other_module():
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert tuple(re.findall(r"^## (sweep\S*)", page, flags=re.M)) == PUBLIC


def python(folder: Path, *arguments, cwd: Path, **options) -> str:
    """What the Python of an environment prints, which must succeed; it imports nothing from this repository."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"COLUMNS": "200"}
    command = [folder / "bin" / "python", *arguments]
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def environment_with(archive: Path, folder: Path) -> Path:
    """A fresh environment with a wheel or sdist; it finds the packages that this one has, and fetches none."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-index"]
    pip += ["--no-deps", "--no-build-isolation", "--ignore-installed", archive]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    return site


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return *folder.glob("*.whl"), *folder.glob("*.tar.gz")


def test_the_wheel_sweeps_in_an_empty_environment(built, tmp_path):
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    site = environment_with(built[0], environment)
    make_demo(elsewhere / "tiny", train=2, test=1, seconds=3)
    size = ["data=musicnet", "data.root=tiny", "protocol.steps=2", "protocol.scored_windows=30", "device=cpu"]
    printed = python(environment, "-m", "sweep", "+grid=smoke", *size, cwd=elsewhere)
    assert "4 of 4 runs done" in printed
    assert (elsewhere / "runs/tiny/quick/table.csv").exists()
    found = python(environment, "-c", "import sweep; print(sweep.__version__, sweep.__file__)", cwd=elsewhere)
    assert found.split() == [sweep.__version__, str(site / "sweep" / "__init__.py")]


def test_the_sdist_installs_the_same_files(built, tmp_path):
    contents = []
    for archive in built:
        site = environment_with(archive, tmp_path / archive.name)
        files = (path for path in site.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        of_pip = ("direct_url.json", "RECORD", "INSTALLER", "REQUESTED")  # they say what was installed
        contents.append({path.relative_to(site): path.read_bytes() for path in files if path.name not in of_pip})
    assert contents[0] == contents[1]
    names = {str(path) for path in contents[0]}
    assert {"sweep/py.typed", "sweep/conf/config.yaml", "sweep/engines/fft.cu"} <= names
    assert {f"sweep/report/page/{name}" for name in ("report.html.j2", "page.css", "page.js")} <= names
    assert not any(name.startswith(("tests/", "experiments/", "docs/")) for name in names)
