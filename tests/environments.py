"""Empty environments with wheels in them: built, installed and called in the tests of what is released."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def build(project: Path, folder: Path, *options: str) -> list[Path]:
    """The wheel and the sdist of a project; options: -t wheel for the one alone."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", folder, *options]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=120)
    return [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]


def environment_with(*archives: Path, folder: Path) -> Path:
    """A fresh environment with wheels or sdists; it finds the packages that this one has, and fetches none."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-index"]
    pip += ["--no-deps", "--no-build-isolation", "--ignore-installed", *archives]
    subprocess.run(pip, check=True, capture_output=True, timeout=120)
    return site


def outside() -> dict[str, str]:
    """The variables of a process that imports nothing from this repository."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"COLUMNS": "200"}


def ended(folder: Path, *arguments, cwd: Path) -> subprocess.CompletedProcess:
    """What became of a call of an environment's Python."""
    command = [folder / "bin" / "python", "-u", *arguments]
    return subprocess.run(command, cwd=cwd, env=outside(), capture_output=True, text=True, timeout=300)


def python(folder: Path, *arguments, cwd: Path) -> str:
    """What the Python of an environment prints, which must succeed."""
    done = ended(folder, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
