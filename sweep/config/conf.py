"""Find the folder conf/, and read a file in it over the files in its defaults list."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

_HERE = Path(__file__).resolve().parents[1]
# In a wheel the configuration is inside the package, in a checkout beside it.
CONF = next(folder for folder in (_HERE / "conf", _HERE.parent / "conf") if folder.is_dir())
ROWS = CONF / "representation"


def row_files() -> dict[str, Path]:
    """Return the rows' files by name, FOLDER/NAME for one in a folder, such as "knob/pcen"; base/ holds no rows."""
    found = sorted(path for path in ROWS.rglob("*.yaml") if path.parent.name != "base")
    return {path.relative_to(ROWS).with_suffix("").as_posix(): path for path in found}


def settings(path: Path) -> dict[str, Any]:
    """Return the keys of a file in conf/ `over` those of the files in its defaults list.

    Raises:
        ValueError: a file of the defaults list is not there.
    """
    own = OmegaConf.to_container(OmegaConf.load(path))
    merged: dict[str, Any] = {}
    for base in own.pop("defaults", []):
        name = f"{str(base).removesuffix('@_here_')}.yaml"
        files = [file for file in (path.parent / name, ROWS / name) if file.is_file()]  # a user's folder has no bases
        if not files:
            raise ValueError(f"{path}: {base}: no such file; correct its defaults")
        merged |= settings(files[0])
    return over(merged, own)


def over(before: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return keys over others: keys within a key are merged, unless they have a `name` and it differs."""
    merged = dict(before)
    for key, value in own.items():
        inherited = before.get(key)
        if isinstance(value, dict) and isinstance(inherited, dict):
            same = value.get("name") in (None, inherited.get("name"))
            merged[key] = {**inherited, **value} if same else value
        else:
            merged[key] = value
    return merged
