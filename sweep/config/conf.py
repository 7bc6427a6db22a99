"""Find the folder conf/, and read a file in it over the files in its defaults list."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

_HERE = Path(__file__).resolve().parents[1]
# In a wheel the configuration is inside the package, in a checkout beside it.
CONF = next(folder for folder in (_HERE / "conf", _HERE.parent / "conf") if folder.is_dir())
ROWS = CONF / "representation"


def settings(path: Path) -> dict[str, Any]:
    """Return the keys of a file in conf/ over those of the files in its defaults list, as Hydra composes them."""
    own = OmegaConf.load(path)
    names = [f"{base.removesuffix('@_here_')}.yaml" for base in own.pop("defaults", [])]
    # A folder of the user's own has no bases, which are ours then.
    found = [next(file for file in (path.parent / name, ROWS / name) if file.is_file()) for name in names]
    return OmegaConf.to_container(OmegaConf.merge(*map(settings, found), own))
