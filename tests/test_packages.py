"""Installed packages that are broken, share a name or take one of ours: only runs that name them notice."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_app import SHORT, call

from sweep.commands import parser
from sweep.config import words
from sweep.registry import compressions, families, models, registry, sources

KINDS = {"models": models, "families": families, "sources": sources, "compressions": compressions}
MODEL = """
from pathlib import Path

from torch import nn

from sweep.training.model import Model

Path(__file__).with_suffix(".imported").touch()


class Mine(Model):
    "A model that says when it is imported."

    def __init__(self, features, bias=None, hidden: int = 8):
        super().__init__(features)
"""


def write_package(site: Path, name: str, code: str, points: dict[str, str]) -> Path:
    """A module as pip installs it, of a package of the same name; its class Mine has these names, by the group."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[sweep.{group}]\n{registered} = {name}:Mine\n" for group, registered in points.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return site / f"{name}.imported"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """`write_package` into a folder that this process imports from, until the test's end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for kind in KINDS.values():
        kind.names()  # imports our own modules, which register but once
        monkeypatch.setattr(kind, "_classes", dict(kind._classes))
    installed = []

    def write(name: str, code: str = MODEL, **points: str) -> Path:
        installed.append(name)
        marker = write_package(tmp_path, name, code, points)
        importlib.invalidate_caches()
        registry._entry_points.cache_clear()
        words._known.cache_clear()
        return marker

    yield write
    registry._entry_points.cache_clear()
    words._known.cache_clear()
    for name in installed:
        sys.modules.pop(name, None)


def planned(capsys, *words: str) -> tuple[int, str]:
    """The exit code of `sweep plan` and what it says on stderr."""
    code = parser.main(["plan", *words])
    return code, capsys.readouterr().err


def test_a_model_is_imported_when_its_name_is_chosen_and_not_before(install, capsys):
    marker = install("foreign_models", models="foreign")
    assert "foreign" in models and models.foreign() == ["foreign"]
    assert planned(capsys, "model=linear")[0] == 0 and not marker.exists()
    assert planned(capsys, "model=foreign", "model.hidden=x") == (
        2, "sweep plan: model.hidden 'x': needs a value of type int\n"
    )  # fmt: skip
    assert marker.exists()


NAMES_NONE = """
import sys
from pathlib import Path

sys.path.insert(0, "tests")
from configs import make_config

from sweep.results.table import read_runs

print(make_config("model=linear").row, len(read_runs(Path("docs")).table))
"""


def test_no_package_is_imported_where_none_of_its_classes_is_named(tmp_path):
    marker = write_package(tmp_path, "foreign_classes", MODEL, dict.fromkeys(KINDS, "foreign"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    command = [sys.executable, "-c", NAMES_NONE]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert (ended.stdout, ended.stderr, marker.exists()) == ("cqt-48 0\n", "", False)


CHOSEN = {"models": "model", "families": "representation", "sources": "data", "compressions": None}


@pytest.mark.parametrize("group", KINDS)
@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("Other = int", "AttributeError: module 'broken_package' has no attribute 'Mine'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_by_runs_that_choose_it(install, capsys, group, code, why):
    install("broken_package", code, **{group: "broken"})
    word = "representation.compression.name=broken" if group == "compressions" else f"{CHOSEN[group]}=broken"
    told, said = planned(capsys, word)
    line = rf"sweep plan: .*\bbroken: package broken_package cannot be imported: {re.escape(why)}\n"
    assert told == 2 and re.fullmatch(line, said), said
    assert planned(capsys, "model=linear") == (0, "")  # all others go on
    assert planned(capsys, "sead=1") == (2, "sweep plan: sead (1): unknown key; did you mean seed?\n")


def test_it_is_listed_with_what_is_wrong(install, capsys):
    install("broken_package", "import no_such_module", models="broken", families="broken", sources="broken")
    assert parser.main(["list"]) == 0
    why = "package broken_package cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"
    printed = capsys.readouterr().out
    assert printed.count(f"\n  broken            {why}\n") == 3 and "\n  linear            One linear layer" in printed


def test_two_packages_with_one_name_are_both_named(install, capsys):
    markers = [install(name, models="twin") for name in ("first_package", "second_package")]
    line = "model.name twin: first_package and second_package both have it; uninstall one"
    assert planned(capsys, "model=twin") == (2, f"sweep plan: {line}\n")
    assert planned(capsys, "model=linear")[0] == 0 and not any(marker.exists() for marker in markers)
    with pytest.raises(ValueError, match=line):
        models["twin"]


@pytest.mark.parametrize(
    ("group", "name", "word", "other"),
    [
        ("models", "linear", "model=linear", "model=cnn"),
        ("sources", "demo", "data=demo", None),
        ("families", "cqt", "representation=cqt-48", "representation=mel-512-128"),
        ("compressions", "log", "representation=cqt-48", "representation.compression.name=none"),
    ],
)
def test_a_name_of_ours_stays_ours_and_is_refused_where_it_is_used(install, capsys, group, name, word, other):
    own = KINDS[group][name]
    marker = install("greedy_package", **{group: name})
    line = f"{KINDS[group].kind} {name}: greedy_package has a class of this name too; uninstall it or rename it"
    assert planned(capsys, word) == (2, f"sweep plan: {line}\n")
    assert other is None or planned(capsys, other, "protocol=converged")[0] == 0
    assert KINDS[group][name] is own and not marker.exists()


@pytest.mark.long  # a sweep and its page
def test_a_sweep_and_its_report_go_on_beside_broken_packages(small_set, tmp_path):
    site = tmp_path / "site"
    write_package(site, "broken_package", "import no_such_module", dict.fromkeys(KINDS, "broken"))
    marker = write_package(site, "foreign_models", MODEL, {"models": "foreign"})
    paths = os.pathsep.join([str(ROOT), str(site)])
    asked = ["representation=linear-256", "model=linear", *SHORT, "data=musicnet", f"data.root={small_set}"]
    swept = call(*asked, cwd=tmp_path, PYTHONPATH=paths)
    assert swept.returncode == 0 and "1 of 1 runs done" in swept.stdout, swept.stdout + swept.stderr
    report = call("report", cwd=tmp_path, PYTHONPATH=paths)
    assert report.returncode == 0 and (tmp_path / "runs/tiny/quick/report.html").exists(), report.stderr
    assert not marker.exists() and "broken" not in swept.stdout + swept.stderr + report.stdout + report.stderr
