"""What is released: one version, a wheel and an sdist that work anywhere, a public interface that is all listed."""

import importlib
import importlib.metadata
import inspect
import re
import sysconfig
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from environments import build, ended, environment_with, python

import sweep
from sweep.data.sources.demo import make_demo
from sweep.terminal import one_line_if_missing

PUBLIC = ("sweep", "sweep.transforms", "sweep.filters", "sweep.representations", "sweep.config", "sweep.data")
PUBLIC += ("sweep.training.model", "sweep.report", "sweep.testing")


def test_the_version_is_semantic_and_in_one_place():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", sweep.__version__)
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    assert headings[0] == sweep.__version__  # what has changed is told under the version that has it
    assert "version" not in yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert not re.search(r"^version\s*=", (ROOT / "pyproject.toml").read_text(), flags=re.M)


def listed(name: str) -> list[str]:
    """The names that the page lists for a module, in its order."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    section = page.split(f"## {name}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, flags=re.M)
    return [public for cell in cells for public in re.findall(r"`([\w.]+)`", cell)]


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "sweep.data"])
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
        and getattr(value, "__module__", name).startswith("sweep")  # not what it imports from elsewhere
    }
    public = {public for public in module.__all__ if not public.startswith("_")}
    lazy = {key for key in public if key not in vars(module) and getattr(module, key).__module__.startswith("sweep")}
    assert offered | lazy == public
    assert listed(name) == list(module.__all__)


def test_the_page_lists_where_the_parts_of_the_data_stand():
    """`sweep.data` itself offers nothing: each name is one of its modules, or stands in one and is defined there."""
    module = importlib.import_module("sweep.data")
    assert not [key for key, value in vars(module).items() if not key.startswith("_") and not inspect.ismodule(value)]
    for public in listed("sweep.data"):
        place, _, key = public.partition(".")
        part = importlib.import_module(f"sweep.data.{place}")
        assert not key or getattr(part, key).__module__ == part.__name__


def test_the_page_lists_no_other_module():
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert tuple(re.findall(r"^## (sweep\S*)", page, flags=re.M)) == PUBLIC


def packages_of(*names: str) -> set[str]:
    """The top-level files and folders of some installed packages and of all that these need."""
    wanted, found, entries = list(names), set(), set()
    while wanted:
        name = wanted.pop()
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # of another platform
            continue
        if distribution.name in found:
            continue
        found.add(distribution.name)
        entries |= {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "__pycache__")}
        needs = (line for line in distribution.requires or () if "extra ==" not in line)
        wanted += [re.match(r"[\w.-]+", line)[0] for line in needs]
    return entries


@pytest.fixture(scope="module")
def library(built, tmp_path_factory) -> Path:
    """An environment with the wheel that finds torch and NumPy, what these need, and nothing else."""
    folder = tmp_path_factory.mktemp("library")
    site = environment_with(built[0], folder=folder)
    (site / "dependencies.pth").unlink()
    for name in packages_of("torch", "numpy"):
        (site / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The wheel and the sdist."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.mark.long
def test_the_wheel_sweeps_in_an_empty_environment(built, tmp_path):
    environment, elsewhere = tmp_path / "environment", tmp_path / "elsewhere"
    site = environment_with(built[0], folder=environment)
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
        site = environment_with(archive, folder=tmp_path / archive.name)
        files = (path for path in site.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        of_pip = ("direct_url.json", "RECORD", "INSTALLER", "REQUESTED")  # they say what was installed
        contents.append({path.relative_to(site): path.read_bytes() for path in files if path.name not in of_pip})
    assert contents[0] == contents[1]
    names = {str(path) for path in contents[0]}
    sources = {f"sweep/engines/gpu/{name}.cu" for name in ("decimate", "fft")}
    assert {"sweep/py.typed", "sweep/conf/config.yaml", *sources} <= names
    assert {f"sweep/report/page/{name}" for name in ("report.html.j2", "page.css", "page.js")} <= names
    assert not any(name.startswith(("tests/", "experiments/", "docs/")) for name in names)


LIBRARY = """
import sys
import sweep

assert "torch" not in sys.modules and {"CQT", "STFT", "MelSpectrogram"} <= set(dir(sweep)), dir(sweep)
from sweep import CQT, STFT, MelSpectrogram

heavy = {"torch._dynamo", "triton", "scipy", "lightning", "hydra", "rich"} & set(sys.modules)
assert not heavy, heavy
import torch

x = torch.sin(2 * torch.pi * 440 / 44100 * torch.arange(44100))
print(int(CQT(f_min=110.0, n_bins=48)(x)[:, 43].argmax()), *MelSpectrogram()(x).shape, *STFT()(x).shape)
"""


def test_the_library_needs_torch_and_numpy_alone(library, tmp_path):
    """A tone of 440 Hz is loudest two octaves above 110 Hz."""
    assert python(library, "-c", LIBRARY, cwd=tmp_path).split() == ["24", "128", "87", "1025", "87"]


def test_a_command_names_the_package_that_it_misses(library, tmp_path):
    found = ended(library, "-m", "sweep", "+grid=all", cwd=tmp_path)
    line = "sweep: needs hydra-core, which is not installed: pip install spectrogram-sweep\n"
    assert (found.returncode, found.stdout, found.stderr) == (1, "", line)


def test_a_module_of_our_own_that_is_not_there_is_no_missing_package():
    with pytest.raises(SystemExit, match="^sweep: needs pillow, which is not installed"), one_line_if_missing("sweep"):
        raise ModuleNotFoundError("No module named 'PIL'", name="PIL.Image")
    with pytest.raises(ModuleNotFoundError, match="sweep.nothing"), one_line_if_missing("sweep"):
        importlib.import_module("sweep.nothing")
