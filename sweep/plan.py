"""The sweep as a whole: which runs it has, in order, written down before the first one starts."""

from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from sweep import results
from sweep.settings import check_settings, settings_of


class Plan(Callback):
    """Hydra calls this before a sweep: composes and checks every run's configuration and writes sweep.json.

    Attributes:
        folders: of the runs, in order, for the main program: empty in the processes of a cluster's jobs.
        logger: conf's, of the last of them.
    """

    folders: list[Path] = []
    logger: dict = {}

    def on_multirun_start(self, config: DictConfig, **_) -> None:
        try:
            jobs = list(self._compose(config))
        except HydraException:
            return  # Hydra composes every run again and says itself what is wrong with it
        try:
            planned = {}
            for job in jobs:
                settings = settings_of(job, job.hydra)
                check_settings(settings)
                folder = results.run_folder(settings)
                clash = results.differences(planned.setdefault(folder, settings), settings)
                if clash:
                    raise ValueError(
                        f"two runs of this sweep would share {folder}: {'; '.join(clash)}; give them two calls"
                    )
            Plan.folders, Plan.logger = list(planned), settings["logger"]
            for folder in Plan.tables():
                runs = [str(run.relative_to(folder)) for run in Plan.folders if folder in run.parents]
                results.write_plan(folder, runs)
        except (OSError, ValueError, OmegaConfBaseException, KeyError) as error:
            missing = "missing key " if isinstance(error, KeyError) else ""
            raise SystemExit(f"sweep: {missing}{str(error).splitlines()[0]}") from None

    def _compose(self, config: DictConfig):
        loader = GlobalHydra.instance().config_loader()
        sweeper = Plugins.instance()._instantiate(config.hydra.sweeper)
        arguments = [*sweeper._parse_config(), *config.hydra.overrides.task]
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
        for batch in sweeper.split_arguments(overrides, None):
            for job in batch:
                yield loader.load_sweep_config(config, list(job))

    @classmethod
    def tables(cls) -> list[Path]:
        """The <runs>/<data>/<protocol> folders of the sweep, where its tables lie."""
        return list(dict.fromkeys(folder.parents[2] for folder in cls.folders))
