"""The sweep as a whole: which runs it has, in order, written down before the first one starts."""

from collections.abc import Iterator
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from sweep import results
from sweep.jobs import Run
from sweep.pace import cost
from sweep.settings import check_settings, settings_of


class Asked(BaseException):
    """A sweep is asked for.

    Hydra would compose each run's configuration again when its turn comes, a quarter of a second each, and know only
    its own ways to launch it. So it is left here, with the sweep's configuration.

    Attributes:
        config: of the sweep.
        loader: Hydra's, of the runs' configurations.
    """

    def __init__(self, config: DictConfig, loader: ConfigLoader):
        super().__init__()
        self.config, self.loader = config, loader


class Ask(Callback):
    """Hydra calls this before a sweep."""

    def on_multirun_start(self, config: DictConfig, **_) -> None:
        raise Asked(config, GlobalHydra.instance().config_loader())


def plan(asked: Asked) -> list[Run]:
    """Compose and check every run's configuration, and write sweep.json.

    Raises:
        ValueError: a configuration is wrong, or two runs would share a folder.
    """
    planned = {}
    for job in _compose(asked.config, asked.loader):
        settings = settings_of(job, job.hydra)
        check_settings(settings)
        folder = results.run_folder(settings)
        clash = results.differences(planned.setdefault(folder, settings), settings)
        if clash:
            raise ValueError(f"two runs of this sweep would share {folder}: {'; '.join(clash)}; give them two calls")
    runs = [Run(title, settings) for title, settings in zip(_titles(list(planned)), planned.values(), strict=True)]
    for table in tables(runs):
        costs = {str(r.folder.relative_to(table)): cost(r.settings) for r in runs if table in r.folder.parents}
        results.write_plan(table, list(costs), costs)
    return runs


def tables(runs: list[Run]) -> list[Path]:
    """The <runs>/<data>/<protocol> folders of a sweep, where its tables lie."""
    return list(dict.fromkeys(run.folder.parents[2] for run in runs))


def _compose(config: DictConfig, loader: ConfigLoader) -> Iterator[DictConfig]:
    """The configuration of each run, as Hydra's sweeper would launch it."""
    sweeper = Plugins.instance()._instantiate(config.hydra.sweeper)
    arguments = [*sweeper._parse_config(), *config.hydra.overrides.task]
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
    for batch in sweeper.split_arguments(overrides, None):
        for job in batch:
            yield loader.load_sweep_config(config, list(job))


def _titles(folders: list[Path]) -> list[str]:
    """Which run of how many, and what distinguishes it from the others: its representation, and what else varies."""
    # <data>/<protocol>/<model>/<representation>/<seed>
    parts = [folder.parts[-5:] for folder in folders]
    varying = [place == 3 or len(set(column)) > 1 for place, column in enumerate(zip(*parts, strict=True))]
    shown = (" ".join(part for part, varies in zip(run, varying, strict=True) if varies) for run in parts)
    return [f"[{n:{len(str(len(folders)))}d}/{len(folders)}] {title}" for n, title in enumerate(shown, 1)]
