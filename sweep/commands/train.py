"""`sweep KEY=VALUE ...`: composes the runs with Hydra, trains them, and prints one table at the end."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import hydra
from omegaconf import DictConfig
from rich.console import Console

from sweep.config import HostCluster, Logger, SlurmCluster
from sweep.config.conf import CONF
from sweep.config.hydra import cluster_config, words_of
from sweep.config.registered import offer
from sweep.config.words import as_typed, one_line
from sweep.names import plain, say
from sweep.scheduling.jobs import DONE, Run, Walk, printer
from sweep.scheduling.plan import Asked, compose_runs, tables, write_plans

if TYPE_CHECKING:
    from sweep.report import Report


class Swept(NamedTuple):
    """What a sweep came to.

    Attributes:
        runs: all of its runs.
        complete: whether all of them are done; with cluster.detach, whether they are done or submitted.
        reports: reports of the folders in which runs of the sweep are done.
    """

    runs: list[Run]
    complete: bool
    reports: list["Report"]


def job(config: DictConfig) -> None:
    """Compose a sweep; Hydra never calls this, because `Asked` is raised before."""


def sweep(
    asked: Asked, console: Console, *, printed: bool = True, check: Callable[[list[Run]], None] = lambda runs: None
) -> Swept:
    """Train all runs of a sweep, write its tables and print them.

    Args:
        asked: configuration of the sweep and Hydra's loader.
        console: console to print on.
        printed: whether the tables are printed.
        check: called with the runs before the first one starts; raises ValueError to refuse them.

    Raises:
        ValueError: a Hydra launcher is chosen, a configuration is wrong, or `check` refuses the runs.
    """
    with one_line(words_of(asked.config.hydra)):
        launcher = asked.config.hydra.launcher._target_.rpartition(".")[2]
    if launcher != "BasicLauncher":
        raise ValueError(f"hydra/launcher {launcher}: runs go where cluster says; choose cluster=slurm, gpus or cpus")
    cluster = cluster_config(asked.config)
    if isinstance(cluster, HostCluster):
        from sweep.scheduling.workers import Workers, places

        with Workers(places(cluster)) as workers:
            runs = composed(asked, console, check)
            complete = workers.go(runs, console)
    else:
        runs = composed(asked, console, check)
        if isinstance(cluster, SlurmCluster):
            from sweep.scheduling.slurm import launch

            complete = launch(runs, cluster, console)
        else:
            complete = walk(runs, console)
    reports = []
    for folder in tables(runs):
        if any(run.state().status == "done" for run in runs if run.config.table == folder):
            reports.append(report_on(folder, runs[-1].config.logger, console, printed))
    return Swept(runs, complete, [report for report in reports if report])


def composed(asked: Asked, console: Console, check: Callable[[list[Run]], None]) -> list[Run]:
    """Compose the runs of a sweep, and write them to sweep.json.

    Args:
        asked: configuration of the sweep and Hydra's loader.
        console: console to print on.
        check: called with the runs before anything is written; raises ValueError to refuse them.

    Raises:
        ValueError: a configuration is wrong, or `check` refuses the runs.
    """
    runs = compose_runs(asked)
    check(runs)
    lacking = dict.fromkeys(run.config.logger.lacking for run in runs)
    for line in filter(None, [*write_plans(runs), *lacking]):
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


def report_on(folder: Path, logger: Logger, console: Console, printed: bool) -> "Report | None":
    """Write the tables of a <runs>/<data>/<protocol> folder and print them; for W&B and TensorBoard, also log them.

    It is logged only if a run was added since the last report, so repeating a command logs nothing twice.

    Args:
        folder: <runs>/<data>/<protocol> folder.
        logger: settings of the logger.
        console: console to print on.
        printed: whether the tables are printed.

    Returns:
        The report; None if the folder's runs cannot be read.
    """
    from sweep.report import print_reports

    table = folder / "table.csv"
    before = _content(table)
    reports, _ = print_reports(folder, None if printed else console, tables=printed)
    report = next((report for report in reports if report.folder == folder.absolute()), None)
    place = {"wandb": "Weights & Biases", "tensorboard": "TensorBoard"}.get(logger.name)
    if report is None or place is None or logger.lacking or _content(table) == before:
        return report
    from sweep.report.page import write_page
    from sweep.training.events import write_report
    from sweep.training.loggers import log_report

    try:
        page, pictures = write_page(console, report, None)
        if page and logger.name == "wandb":
            log_report(report, pictures, page, logger, lambda line: say(console, line))
        elif page:
            write_report(report, pictures)
    except Exception as error:  # that is only a copy: the results are already written
        say(console, f"no report to {place}: {error}", "red")
    return report


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
    offer()
    sys.argv[1:] = [as_typed(word) for word in words]
    try:
        with one_line(words):
            # Decorated here, because the decorator changes Hydra's global state.
            hydra.main(version_base=None, config_path=str(CONF), config_name="config")(job)()
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
        if asked and not sweep(asked, console).complete:
            sys.exit(1)
    except KeyboardInterrupt as stop:
        console.print("stopped; the same command resumes")
        sys.exit(128 + (stop.args[0] if stop.args and stop.args[0] else signal.SIGINT))
    except (OSError, ValueError) as error:
        raise SystemExit(plain(f"sweep: {error}")) from None
