"""`python -m sweep`: Hydra in, one run per configuration, one table at the end."""

import signal
import sys
import traceback
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape

from sweep import results
from sweep.plan import Plan
from sweep.settings import fingerprint, settings_of

HERE = Path(__file__).resolve().parent
# In a wheel the configuration lies inside the package, in a checkout beside it.
CONF = next(folder for folder in (HERE / "conf", HERE.parent / "conf") if folder.is_dir())
console = Console(highlight=False)
failures: list[Path] = []
unreadable: set[str] = set()  # data folders that could not be read: the runs that need them fail without a word more


@hydra.main(version_base=None, config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> None:
    """One run of the sweep: skipped when done, resumed when half done; a failure is noted and the next one starts."""
    hydra_config = HydraConfig.get()
    settings = settings_of(config, hydra_config)
    folder, source = results.run_folder(settings), Path(settings["data"]["root"])
    number = 0 if OmegaConf.is_missing(hydra_config.job, "num") else hydra_config.job.num  # hydra.mode=RUN has none
    title = title_of(folder, number + 1)
    if str(source) in unreadable:
        failures.append(folder)
        return
    try:
        if settings["data"]["source"] != "demo":
            settings["data"]["fingerprint"] = fingerprint(source, settings["data"]["source"])
        result = None if settings["overwrite"] else results.read_result(folder)
        if result is not None:
            changed = results.differences(results.identity(result["config"]), results.identity(settings))
            if changed:
                raise results.ConfigurationChanged(folder, changed)
            (folder / results.CHECKPOINT).unlink(missing_ok=True)
            say(title, result, "done before")
            return
        from sweep.run import run

        result = run(settings, console, title)
        (folder / results.TRACEBACK).unlink(missing_ok=True)
        say(title, result, f"{sum(result['seconds'].values()):.1f} s")
    except Exception as error:
        fail(folder, title, error)
        if type(error).__name__ == "UnreadableError":
            unreadable.add(str(source))


def title_of(folder: Path, number: int) -> str:
    """Which run of how many, and what distinguishes it from the others: its representation, and what else varies."""
    folders = Plan.folders or [folder]
    # <data>/<protocol>/<model>/<representation>/<seed>
    parts = [other.parts[-5:] for other in folders]
    varying = [place == 3 or len(set(column)) > 1 for place, column in enumerate(zip(*parts, strict=True))]
    shown = " ".join(part for part, varies in zip(folder.parts[-5:], varying, strict=True) if varies)
    return f"[{number:{len(str(len(folders)))}d}/{len(folders)}] {shown}"


def say(title: str, result: dict, remark: str) -> None:
    """One line of scores."""
    figures = [("accuracy", "accuracy"), ("precision", "precision"), ("recall", "recall"), ("AP", "average_precision")]
    scores = "  ".join(f"{name} {result['scores'][key] or 0:.3f}" for name, key in figures)
    console.print(f"{escape(title)}  {scores}  ({remark})", soft_wrap=True)


def fail(folder: Path, title: str, error: Exception) -> None:
    """One line of what went wrong; the traceback goes to the run's folder, unless that holds another run's result."""
    failures.append(folder)
    remark = ""
    if not isinstance(error, results.ConfigurationChanged):
        try:
            results.write_whole(folder / results.TRACEBACK, traceback.format_exc())
            remark = f" (traceback in {folder / results.TRACEBACK})"
        except OSError as unwritten:
            remark = f" (and its traceback could not be written: {unwritten})"
    message = " ".join(str(error).split()) or type(error).__name__
    console.print(f"{escape(title)}  failed: {escape(message)}{escape(remark)}", style="red", soft_wrap=True)


def report_on(folder: Path) -> None:
    """Print the tables of a <runs>/<data>/<protocol> folder; where W&B logs, draw the page and send it there.

    Only if a run has been added since: the same command again logs nothing again.
    """
    from sweep.report import print_reports

    table = folder / "table.csv"
    before = table.read_bytes() if table.exists() else b""
    (report,), _ = print_reports(folder)
    if Plan.logger["name"] != "wandb" or table.read_bytes() == before:
        return
    from sweep.loggers import log_report
    from sweep.report.page import write_page

    try:
        page, pictures = write_page(console, report, None)
        log_report(report, pictures, page, Plan.logger)
    except Exception as error:  # the results are safe, and W&B's is but a copy
        console.print(f"no report to Weights & Biases: {escape(str(error))}", style="red", soft_wrap=True)


def main() -> None:
    """Run the sweep, then print its tables; exit 1 if a run failed, 130 on Ctrl-C."""
    try:
        job()
    except KeyboardInterrupt as stop:
        console.print("stopped; the same command goes on from here")
        sys.exit(128 + (stop.args[0] if stop.args and stop.args[0] else signal.SIGINT))
    done = [(folder / results.RESULT).exists() for folder in Plan.folders]
    if any(done):
        try:
            for folder in Plan.tables():
                report_on(folder)
        except ValueError as error:
            raise SystemExit(f"sweep: {error}") from None
    if failures or not all(done):
        sys.exit(1)


if __name__ == "__main__":
    main()
