"""`sweep KEY=VALUE ...`: composes the runs with Hydra, trains them, and prints one table at the end."""

import signal
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig
from rich.console import Console

from sweep.config import HostCluster, Logger, SlurmCluster
from sweep.config.conf import CONF
from sweep.config.hydra import cluster_config, words_of
from sweep.config.words import as_typed, one_line
from sweep.names import plain, say
from sweep.scheduling.jobs import DONE, Run, Walk, printer
from sweep.scheduling.plan import Asked, compose_runs, tables, write_plans


@hydra.main(version_base=None, config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> None:
    """Compose a sweep; Hydra never calls this, because `Asked` is raised before."""


def sweep(asked: Asked, console: Console) -> bool:
    """Train all runs of a sweep and print its tables.

    Args:
        asked: configuration of the sweep and Hydra's loader.
        console: console to print on.

    Returns:
        Whether all runs are done.

    Raises:
        ValueError: a Hydra launcher is chosen, or a configuration is wrong.
    """
    with one_line(words_of(asked.config.hydra)):
        launcher = asked.config.hydra.launcher._target_.rpartition(".")[2]
    if launcher != "BasicLauncher":
        raise ValueError(f"hydra/launcher {launcher}: runs go where cluster says; choose cluster=slurm, gpus or cpus")
    cluster = cluster_config(asked.config)
    if isinstance(cluster, HostCluster):
        from sweep.scheduling.workers import Workers, places

        with Workers(places(cluster)) as workers:
            runs = composed(asked, console)
            complete = workers.go(runs, console)
    else:
        runs = composed(asked, console)
        if isinstance(cluster, SlurmCluster):
            from sweep.scheduling.slurm import launch

            complete = launch(runs, cluster, console)
        else:
            complete = walk(runs, console)
    for folder in tables(runs):
        if any(run.state().status == "done" for run in runs if run.config.table == folder):
            report_on(folder, runs[-1].config.logger, console)
    return complete


def composed(asked: Asked, console: Console) -> list[Run]:
    """Compose the runs of a sweep, and write them to sweep.json.

    Args:
        asked: configuration of the sweep and Hydra's loader.
        console: console to print on.

    Raises:
        ValueError: a configuration is wrong.
    """
    runs = compose_runs(asked)
    for line in write_plans(runs):
        say(console, line, "yellow")
    return runs


def walk(runs: list[Run], console: Console) -> bool:
    """Train runs one after the other in this process.

    Args:
        runs: runs in the order to take them.
        console: console to print on.

    Returns:
        Whether all runs are done.
    """
    states = [0] * len(runs)
    Walk(runs, printer(console), console, [0] * len(runs), states).go()
    return all(state == DONE for state in states)


def report_on(folder: Path, logger: Logger, console: Console) -> None:
    """Print the tables of a <runs>/<data>/<protocol> folder; with the W&B logger, also draw the page and log it there.

    The page is logged only if a run was added since the last report, so repeating a command logs nothing twice.

    Args:
        folder: <runs>/<data>/<protocol> folder.
        logger: settings of the logger.
        console: console to print on.
    """
    from sweep.report import print_reports

    table = folder / "table.csv"
    before = _content(table)
    reports, _ = print_reports(folder)
    report = next((report for report in reports if report.folder == folder.absolute()), None)
    if report is None or logger.name != "wandb" or _content(table) == before:
        return
    from sweep.report.page import write_page
    from sweep.training.loggers import log_report

    try:
        page, pictures = write_page(console, report, None)
        if page:
            log_report(report, pictures, page, logger, lambda line: say(console, line))
    except Exception as error:  # W&B only gets a copy: the results are already written
        say(console, f"no report to Weights & Biases: {error}", "red")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def ask(words: list[str]) -> Asked | None:
    """Pass the words of a command line to Hydra and get the sweep that they ask for.

    Args:
        words: words of the command line, KEY=VALUE or options of Hydra.

    Returns:
        The sweep; None if Hydra did everything itself, as with --help.

    Raises:
        ValueError: a word is no KEY=VALUE, or its key or option does not exist.
    """
    sys.argv[1:] = [as_typed(word) for word in words]
    try:
        with one_line(words):
            job()
    except Asked as asked:
        return asked
    return None


def main(words: list[str]) -> None:
    """Run the sweep, then print its tables; exit with 1 if a run failed, with 130 on Ctrl-C.

    Args:
        words: words of the command line.
    """
    console = Console(highlight=False)
    try:
        asked = ask(words)
        if asked and not sweep(asked, console):
            sys.exit(1)
    except KeyboardInterrupt as stop:
        console.print("stopped; the same command resumes")
        sys.exit(128 + (stop.args[0] if stop.args and stop.args[0] else signal.SIGINT))
    except (OSError, ValueError) as error:
        raise SystemExit(plain(f"sweep: {error}")) from None
