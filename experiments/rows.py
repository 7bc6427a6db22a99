"""The rows that the experiments go through: the representations of +grid=all, in the paper's order."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sweep.representations import Representation, from_settings

CONF = Path(__file__).resolve().parents[1] / "conf"


def rows() -> list[Representation]:
    """The 34 representations."""
    names = OmegaConf.load(CONF / "grid/all.yaml").hydra.sweeper.params.representation.replace(" ", "").split(",")
    with initialize_config_dir(str(CONF), version_base=None):
        return [from_settings({**settings(f"representation={name}")["representation"], "name": name}) for name in names]


def settings(*overrides: str) -> dict:
    """What `python -m sweep` composes from these overrides; within `initialize_config_dir`."""
    config = compose("config", overrides=list(overrides))
    return OmegaConf.to_container(config, resolve=True)


def protocol(name: str) -> dict:
    """The numbers of conf/protocol."""
    with initialize_config_dir(str(CONF), version_base=None):
        return settings(f"protocol={name}")["protocol"]
