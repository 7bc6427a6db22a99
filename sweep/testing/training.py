"""Train a model for a few steps on made recordings, whole, and interrupted and resumed."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

from sweep import locks
from sweep.checks import called
from sweep.config import RunConfig
from sweep.config.conf import CONF
from sweep.config.hydra import run_config
from sweep.data.sources.demo import make_demo
from sweep.registry import models
from sweep.results.result import Result
from sweep.results.state import LOCK, MODEL
from sweep.training.model import Model
from sweep.training.run import run

_STEPS, _CHECKPOINT, _CUT = 6, 3, 5  # steps, those of a checkpoint, and that in which a run is cut off
_WORDS = (
    "representation=mel-512-128", "protocol=quick", "device=cpu", "workers=0", "logger=none", "data=musicnet",
    "data.root=made", "data.cache=null", "data.validation=0", "protocol.window=16384", "protocol.batch_size=4",
    "protocol.standardise=1", "protocol.scored_windows=30", "protocol.note_step=8192", f"protocol.steps={_STEPS}",
    f"protocol.checkpoint_every={_CHECKPOINT}",
)  # fmt: skip


class _CutOff(Exception):
    """The end that a run finds without a word."""


def check_training(cls: type[Model], keys: dict[str, Any], segmental: bool) -> None:
    """Check that a run that was cut off and resumed ends as one that was not, with the same weights and scores.

    Both also start from the same seed, so that one training repeats the other.

    Args:
        cls: the model's class, which is registered for the time of the check.
        keys: its keys.
        segmental: whether it sees segments.

    Raises:
        ValueError: what is wrong and the remedy, in one line.
    """
    with tempfile.TemporaryDirectory() as scratch, _registered(cls) as name:
        root = Path(scratch, "made")
        make_demo(root, train=2, test=1, seconds=3)
        config = _config("conv" if segmental else "linear", root)
        model = dataclasses.replace(config.model, name=name, options=keys)

        def of(runs: str) -> RunConfig:
            code = {} if (own := models.code(name)) is None else {models.kind: own}
            return dataclasses.replace(config, model=model, code=code, runs=str(Path(scratch, runs)))

        whole = called("a short training", _trained, of("whole"))
        with contextlib.suppress(_CutOff), _cut_off(cls):
            _trained(of("resumed"))
        resumed = called("resuming a training", _trained, of("resumed"))
        differing = _differing(of("whole"), whole, of("resumed"), resumed)
        if not differing:
            return
        again = _trained(of("again"))
        if repeated := _differing(of("whole"), whole, of("again"), again):
            raise ValueError(
                f"{repeated} differ between two trainings of the same seed; draw from PyTorch's generator, and keep "
                "nothing outside the model"
            )
        raise ValueError(
            f"{differing} differ between a training that was interrupted and resumed and one that was not; make what "
            "the model keeps from step to step a buffer, so that it is in the state_dict"
        )


def _config(like: str, root: Path) -> RunConfig:
    """Compose a short run of a model of the package on recordings in a folder."""
    with initialize_config_dir(str(CONF), version_base=None):
        composed = compose("config", overrides=[*_WORDS, f"model={like}"], return_hydra_config=True)
    config = run_config(composed, composed.hydra)
    return dataclasses.replace(config, data=dataclasses.replace(config.data, root=str(root)))


@contextlib.contextmanager
def _registered(cls: type[Model]) -> Iterator[str]:
    """Register a class for the time of a block, and yield its name."""
    name = f"checked-{cls.__name__}"
    models.register(name)(cls)
    try:
        yield name
    finally:
        models.forget(name)


@contextlib.contextmanager
def _cut_off(cls: type[Model]) -> Iterator[None]:
    """End the training in a block at step _CUT, before the model's forward, wherever its checkpoint is."""
    steps = 0

    def count(module: torch.nn.Module, _: Any) -> None:
        nonlocal steps
        if type(module) is cls and module.training:
            steps += 1
            if steps == _CUT:
                raise _CutOff

    hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _trained(config: RunConfig) -> Result:
    with locks.claim(config.folder / LOCK) as lock:
        return run(config, Console(quiet=True), "", lock)


def _differing(config: RunConfig, result: Result, other: RunConfig, found: Result) -> str:
    """Say what differs between two trained runs: a weight, or "scores"; "" if they are the same."""
    states = [torch.load(it.folder / MODEL, weights_only=True)["state_dict"] for it in (config, other)]
    for key, value in states[0].items():
        if not torch.equal(value, states[1][key]):
            return f"weights, {key} first,"
    return "scores" if str(result.scores) != str(found.scores) else ""
