"""What the experiments take from conf/: the representations of +grid=all in the paper's order, protocols, data."""

from dataclasses import replace
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sweep.config import Data, Protocol, RunConfig
from sweep.config.conf import CONF
from sweep.config.hydra import run_config
from sweep.config.rows import row
from sweep.representations import Representation


def rows() -> list[Representation]:
    """The 34 representations."""
    names = OmegaConf.load(CONF / "grid/all.yaml").hydra.sweeper.params.representation.replace(" ", "").split(",")
    with initialize_config_dir(str(CONF), version_base=None):
        return [_compose(f"representation={name}").representation for name in names]


def like(base: str, name: str, **changes) -> Representation:
    """A row under another name and with other numbers."""
    return replace(row(base, **changes), name=name)


def protocol(name: str, model: str = "linear") -> Protocol:
    """The numbers of conf/protocol; for a model that sees segments with those of `segments` over them."""
    with initialize_config_dir(str(CONF), version_base=None):
        return _compose(f"protocol={name}", f"model={model}").protocol


def recordings(root: str | None, cache: str) -> Data:
    """All recordings of a folder in MusicNet's layout, or of the demo set: conf's `data` for `loading.load`."""
    source, root = ("musicnet", root) if root else ("demo", "data/demo")
    name = Path(root).resolve().name
    return Data(name=name, source=source, root=root, cache=cache, validation=0, placement="auto")


def _compose(*overrides: str) -> RunConfig:
    """What `sweep` composes from these overrides; within `initialize_config_dir`."""
    config = compose("config", overrides=list(overrides), return_hydra_config=True)
    return run_config(config, config.hydra)
