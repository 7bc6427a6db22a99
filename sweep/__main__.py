"""`python -m sweep`: Hydra in, one run per configuration, one table at the end."""

import signal
import sys
from pathlib import Path

from sweep.missing import one_line_if_missing

with one_line_if_missing("sweep"):
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from rich.console import Console
    from rich.markup import escape

    from sweep import results
    from sweep.jobs import DONE, Run, Walk
    from sweep.plan import Asked, plan, tables
    from sweep.settings import check_cluster, settings_of

HERE = Path(__file__).resolve().parent
# In a wheel the configuration lies inside the package, in a checkout beside it.
CONF = next(folder for folder in (HERE / "conf", HERE.parent / "conf") if folder.is_dir())


@hydra.main(version_base=None, config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> None:
    """A single run: hydra.mode=RUN. A sweep ends before, in Asked."""
    settings = settings_of(config, HydraConfig.get())
    title = f"[1/1] {'+'.join(filter(None, (settings['representation']['name'], results.variant(settings))))}"
    if not walk([Run(title, settings)], Console(highlight=False)):
        sys.exit(1)


def sweep(asked: Asked, console: Console) -> bool:
    """All runs of a sweep; whether all are done."""
    launcher = asked.config.hydra.launcher._target_.rpartition(".")[2]
    if launcher != "BasicLauncher":
        raise ValueError(f"hydra/launcher {launcher}: runs go where cluster says; choose cluster=slurm, gpus or cpus")
    cluster = OmegaConf.to_container(asked.config.cluster, resolve=True)
    check_cluster(cluster, asked.config.device)
    if cluster["name"] in ("gpus", "cpus"):
        from sweep.workers import Workers, places

        with Workers(places(cluster)) as workers:
            runs = plan(asked)
            complete = workers.go(runs, console)
    else:
        runs = plan(asked)
        if cluster["name"] == "slurm":
            from sweep.slurm import launch

            complete = launch(runs, cluster, console)
        else:
            complete = walk(runs, console)
    for folder in tables(runs):
        if any((run.folder / results.RESULT).exists() for run in runs if folder in run.folder.parents):
            report_on(folder, runs[-1].settings["logger"], console)
    return complete


def walk(runs: list[Run], console: Console) -> bool:
    """Runs one after the other, here; whether all are done."""

    def say(line: str, style: str) -> None:
        console.print(escape(line), style=style, soft_wrap=True)

    states = [0] * len(runs)
    Walk(runs, say, console, [0] * len(runs), states).go()
    return all(state == DONE for state in states)


def report_on(folder: Path, logger: dict, console: Console) -> None:
    """Print the tables of a <runs>/<data>/<protocol> folder; where W&B logs, draw the page and send it there.

    Only if a run has been added since: the same command again logs nothing again.
    """
    from sweep.report import print_reports

    table = folder / "table.csv"
    before = table.read_bytes() if table.exists() else b""
    (report,), _ = print_reports(folder)
    if logger["name"] != "wandb" or table.read_bytes() == before:
        return
    from sweep.loggers import log_report
    from sweep.report.page import write_page

    try:
        page, pictures = write_page(console, report, None)
        log_report(report, pictures, page, logger)
    except Exception as error:  # the results are safe, and W&B's is but a copy
        console.print(f"no report to Weights & Biases: {escape(str(error))}", style="red", soft_wrap=True)


@one_line_if_missing("sweep")
def main() -> None:
    """Run the sweep, then print its tables; exit 1 if a run failed, 130 on Ctrl-C."""
    console = Console(highlight=False)
    try:
        try:
            job()
        except Asked as asked:
            if not sweep(asked, console):
                sys.exit(1)
    except KeyboardInterrupt as stop:
        console.print("stopped; the same command goes on from here")
        sys.exit(128 + (stop.args[0] if stop.args and stop.args[0] else signal.SIGINT))
    except HydraException as error:
        raise SystemExit(f"sweep: {error}") from None
    except (OmegaConfBaseException, OSError, ValueError, KeyError) as error:
        missing = "missing key " if isinstance(error, KeyError) else ""
        raise SystemExit(f"sweep: {missing}{str(error).splitlines()[0]}") from None


if __name__ == "__main__":
    main()
