"""Compose the runs of a sweep, and write them to sweep.json before the first one starts."""

import copy
import functools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from sweep.checks import called
from sweep.config import Data, DataSet, RunConfig, differences
from sweep.config.hydra import run_config, words_of
from sweep.config.words import one_line
from sweep.registry import sources
from sweep.results.metrics import Ranking
from sweep.results.plan import write_plan
from sweep.scheduling.jobs import Run


class Asked(BaseException):
    """Raised to leave Hydra with the configuration of a sweep before Hydra launches the runs.

    Hydra would compose each run's configuration again at its launch, a quarter of a second each, and could only launch
    it with its own launchers.

    Attributes:
        config: configuration of the sweep.
        loader: Hydra's loader, which composes the configurations of the runs.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader):
        super().__init__()
        self.config, self.loader = config, loader


class Once(ConfigRepository):
    """Hydra's configuration files, each read once for all the runs of a sweep: a third of the time of composing them.

    Args:
        repository: Hydra's own, which reads each file anew for every run.
    """

    def __init__(self, repository: ConfigRepository):
        self.__dict__.update(repository.__dict__)
        self.results: dict[tuple, Any] = {}

    def __deepcopy__(self, _):
        return copy.copy(self)  # Hydra takes one for each run, and may search other folders with it

    def load_config(self, config_path: str):
        place = config_path, *(source.path for source in self.sources)
        if place not in self.results:
            self.results[place] = super().load_config(config_path)
        return copy.deepcopy(self.results[place])


class Ask(Callback):
    """Hydra callback that stops Hydra before a sweep, or a single run, by raising `Asked`."""

    def on_multirun_start(self, config: DictConfig, **_) -> None:
        """Raise `Asked` with the configuration of the sweep."""
        raise Asked(config, GlobalHydra.instance().config_loader())

    on_run_start = on_multirun_start


def compose_runs(asked: Asked) -> list[Run]:
    """Compose and check every run's configuration.

    Args:
        asked: configuration of the sweep and Hydra's loader.

    Raises:
        ValueError: a configuration is wrong, or two runs would share a folder.
    """
    fingerprinted.cache_clear()  # the process of a notebook sees a folder change
    planned: dict[Path, RunConfig] = {}
    for job in _compose(asked.config, asked.loader):
        config = run_config(job, job.hydra)
        other = planned.setdefault(config.folder, config)
        clash = differences(other.identity, config.identity)
        if clash:
            raise ValueError(
                f"two runs of this sweep would share {config.folder}: {'; '.join(clash)}; give them two calls"
            )
    if not planned:
        raise ValueError(f"{' '.join(words_of(asked.config.hydra))}: no run; choose at least one value of each key")
    configs = [replace(config, data=fingerprinted(config.data)) for config in planned.values()]
    return [Run(title, config) for title, config in zip(_titles(configs), configs, strict=True)]


def write_plans(runs: list[Run]) -> list[str]:
    """Write sweep.json for each table before the first run starts, so that status and tables also list open runs.

    Returns:
        Lines for the user, on each sweep.json that was damaged.
    """
    said = []
    for table in tables(runs):
        below = [run for run in runs if run.config.table == table]
        ranking = Ranking(below[0].config.metric, below[0].config.margin)
        said.append(write_plan(table, {run.name: run.planned() for run in below}, ranking))
    return [line for line in said if line]


def tables(runs: list[Run]) -> list[Path]:
    """List the <runs>/<data>/<protocol> folders of a sweep, which hold its tables."""
    return list(dict.fromkeys(run.config.table for run in runs))


@functools.cache
def fingerprinted(data: Data) -> Data:
    """Return the data configuration with the current fingerprints of its folder and of those of other sets.

    Raises:
        ValueError: a folder is missing, or holds no recordings in its layout; names the first problem.
    """
    from sweep.data.source import SPLITS

    own = data.validation == "own"
    others = (replace(one, fingerprint=_fingerprint(one, f"data.test.{one.name}.root", ["test"])) for one in data.test)
    return replace(data, fingerprint=_fingerprint(data, "data.root", SPLITS, own), test=tuple(others))


def _fingerprint(data: DataSet, key: str, splits: Sequence[str], held_out: bool = False) -> str | None:
    """Return the current fingerprint of a folder, of which some splits are needed; `key` names it in a message.

    What a folder holds out may depend on its files, so it is asked once these have been found.
    """
    from sweep.data.contract import check_source
    from sweep.data.reading import find_pairs
    from sweep.data.recording import refuse
    from sweep.data.source import VALIDATION

    source = called(f"data.source {data.source}", sources[data.source], Path(data.root), **data.options)
    if sources.code(data.source) and source.root.is_dir():
        check_source(source, read=False)
    if source.files() is not None:  # otherwise the program makes it
        if not source.root.is_dir():
            raise ValueError(f"{key} {source.root}: no such folder; correct {key}")
        for split in splits:
            refuse(*find_pairs(source, split))
    if held_out:
        if VALIDATION not in source.splits:
            raise ValueError(f"data.validation own: data.source {data.source} holds out no recordings; choose a share")
        refuse(*find_pairs(source, VALIDATION))
    return source.fingerprint() if "train" in splits else source.fingerprint_of(splits)


def _compose(config: DictConfig, loader: ConfigLoader) -> Iterator[DictConfig]:
    """Yield the configuration of each run, as Hydra's sweeper would launch it."""
    words = words_of(config.hydra)
    with one_line(words):
        sweeper = Plugins.instance()._instantiate(config.hydra.sweeper)
        arguments = [*sweeper._parse_config(), *words]
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
        batches = list(sweeper.split_arguments(overrides, None))
    loader.repository = Once(loader.repository)
    for batch in batches:
        for job in batch:
            with one_line(words):
                composed = loader.load_sweep_config(config, list(job))
            yield composed


def _titles(configs: list[RunConfig]) -> list[str]:
    """Title each run: its number, its row, and every other part of its name that varies in the sweep."""
    parts = [(c.data_row, c.protocol.name, c.model_row, c.row, f"seed-{c.seed}") for c in configs]
    varying = [place == 3 or len(set(column)) > 1 for place, column in enumerate(zip(*parts, strict=True))]
    shown = (" ".join(part for part, varies in zip(run, varying, strict=True) if varies) for run in parts)
    return [f"[{n:{len(str(len(configs)))}d}/{len(configs)}] {title}" for n, title in enumerate(shown, 1)]
