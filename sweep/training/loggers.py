"""Log the curves of a run to CSV files, Weights & Biases or TensorBoard. A run finishes without these copies."""

import contextlib
import functools
import hashlib
import os
import shlex
import ssl
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from sweep.checks import shown
from sweep.config import Logger as Settings
from sweep.config import RunConfig
from sweep.training.events import Events, quiet_writer

_PROBE = 5.0  # seconds for an answer of W&B's server, once in each process
_START, _END = 30.0, 60.0  # seconds for W&B to begin a run, and to send the rest of it
_failed: list[str] = []  # why this process logs offline; empty: it has no reason to


class Copies(Logger):
    """Pass curves to a logger until it fails, and then tell that once.

    Args:
        logger: Lightning logger.
        missing: what is missing once it fails, and how to get it.
        tell: called with a line.
    """

    def __init__(self, logger: Logger, missing: str, tell: Callable[[str], None]):
        super().__init__()
        self.logger, self.missing, self.tell, self.works = logger, missing, tell, True

    @property
    def name(self) -> str:
        return type(self.logger).__name__

    @property
    def version(self) -> None:
        return None

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.attempt(self.logger.log_metrics, metrics, step)

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self.attempt(self.logger.log_hyperparams, params, *args, **kwargs)

    def save(self) -> None:
        self.attempt(self.logger.save)

    def finalize(self, status: str) -> None:
        self.attempt(self.logger.finalize, status)

    def attempt(self, call: Callable, *args: Any, **kwargs: Any) -> None:
        """Call a function of the logger unless one has failed before."""
        if self.works:
            try:
                call(*args, **kwargs)
            except Exception as error:
                self.works = False
                self.tell(f"{self.missing}: {_brief(error)}")


def build_loggers(config: RunConfig, first: int, tell: Callable[[str], None]) -> list[Copies]:
    """Build the run's Lightning loggers: CSV files, from which a report draws curves, and what `logger` asks for.

    Args:
        config: the run's configuration.
        first: step at which training starts; a resumed run adds a second CSV file and continues its other logs.
        tell: called with a line on each log that is missing.
    """
    if config.logger.name == "none":
        return []
    folder, row = config.folder, f"{config.row} seed {config.seed}"
    files = CSVLogger(save_dir=folder, name="curves", version=f"from-step-{first}")
    loggers = [Copies(files, f"{row} goes on without its curves in {folder / 'curves'}", tell)]
    if config.logger.name == "wandb":
        try:
            run = _wandb_run(
                folder,
                config.logger,
                config.table,
                tell,
                name=str(folder.relative_to(config.table)),
                group=str(config.table),
                config=config.record(),
                resume="allow" if first else None,  # None: a run that starts anew replaces its old log
            )
            run.define_metric("trainer/global_step")
            run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
            place = _quoted(Path(run.dir).parent)
            missing = f"{row} goes on without Weights & Biases; `wandb sync {place}` sends what is there"
            loggers.append(Copies(WandbLogger(experiment=run), missing, tell))
        except Exception as error:
            tell(f"{row} is not logged to Weights & Biases, its curves are in {folder / 'curves'}: {_brief(error)}")
    if config.logger.name == "tensorboard" and not config.logger.lacking:
        missing = f"{row} goes on without TensorBoard, its curves are in {folder / 'curves'}"
        loggers.append(Copies(Events(config, first), missing, tell))
    return loggers


@contextlib.contextmanager
def closing(loggers: list[Copies]) -> Iterator[dict[str, float]]:
    """Close the logs when the block ends, a W&B run even after an error, so that the next begins its own.

    Args:
        loggers: the run's loggers.

    Yields:
        A dict, whose values at the end become the run's scores in W&B's summary and TensorBoard's HPARAMS.
    """
    summary: dict[str, float] = {}
    runs = [(copies, copies.logger.experiment) for copies in loggers if isinstance(copies.logger, WandbLogger)]
    with quiet_writer():
        try:
            yield summary
        except BaseException:
            for copies, run in runs:
                copies.attempt(run.finish, exit_code=1)
            raise
        finally:
            for copies in loggers:
                if isinstance(copies.logger, Events):
                    copies.attempt(copies.logger.finish, summary)
    for copies, run in runs:
        copies.attempt(run.summary.update, summary)
        copies.attempt(run.finish)
        if not copies.works:
            _end_client()


def log_report(report, pictures: list, page: Path, logger: Settings, tell: Callable[[str], None]) -> None:
    """Send a sweep's table, pictures and page to W&B as a run of its own, which a later call continues.

    This run is not in the sweep's W&B group, so that W&B averages only the training runs.

    Args:
        report: report of the sweep, a `sweep.report.Report`.
        pictures: pictures of the report, each a `sweep.report.pictures.Picture`.
        page: the file report.html.
        logger: the configuration's group `logger`.
        tell: called with a line if the report is logged offline.
    """
    import wandb
    from PIL import Image

    lines = report.summary.astype(object).where(report.summary.notna(), None)
    name = f"{report.folder.parent.name}/{report.folder.name} report"
    run = _wandb_run(report.folder, logger, report.folder, tell, name=name, job_type="report", resume="allow")
    with run:
        content = {"comparison": wandb.Table(columns=list(lines), data=lines.to_numpy().tolist())}
        for picture in pictures:
            path = report.folder / "pictures" / f"{picture.name}.png"
            if path.exists():
                content[f"pictures/{picture.name}"] = wandb.Image(Image.open(path), caption=picture.title)
        run.log(content | {"report": wandb.Html(page.read_text(encoding="utf-8"), inject=False)})
        run.summary["verdict"] = report.verdict


def _wandb_run(folder: Path, logger: Settings, table: Path, tell: Callable[[str], None], **identity: Any):
    """Start or resume the W&B run whose id belongs to a folder; offline after the first failure in this process."""
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    number = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    limits = wandb.Settings(init_timeout=_START, finish_timeout=_END)
    start = functools.partial(
        wandb.init, project=logger.project, id=number, dir=folder, settings=limits, reinit="finish_previous", **identity
    )
    mode = os.environ.get("WANDB_MODE") or wandb.setup().settings.mode
    if mode not in ("online", "run", "shared"):  # asked for: offline, dryrun, disabled
        return start(mode=mode)
    if not _failed:
        url = wandb.setup().settings.base_url
        why = _without_account(url) or _without_answer(url)
        if not why:
            try:
                return start(mode=mode)
            except Exception as error:
                why = f"no start at {url}: {type(error).__name__}, {_brief(error)}"
                _end_client()  # there the run that did not start has taken its id
        _failed.append(why)
        remedy = f"`wandb sync {_quoted(table)}/{{,*/*/*/}}wandb/offline-run-*` sends them"
        tell(f"Weights & Biases: {why}; the runs are logged offline, {remedy}")
    return start(mode="offline")


def _end_client() -> None:
    """End W&B's client process after an error; the next run begins another."""
    import wandb

    with contextlib.suppress(Exception):
        wandb.teardown()


def _without_account(url: str) -> str:
    """Return why W&B's client has no key for a server; empty if it has one."""
    import wandb

    before = sys.stdin
    with open(os.devnull) as nobody:
        sys.stdin = nobody  # otherwise it asks for a key on a terminal
        try:
            found, wrong = wandb.login(verify=False), ""
        except wandb.errors.UsageError:
            found, wrong = False, ""
        except Exception as error:
            found, wrong = False, _brief(error)
        finally:
            sys.stdin = before
    return "" if found else wrong or f"no key for {url}, `wandb login` asks for one"


def _without_answer(url: str) -> str:
    """Return why a server does not answer; empty if it does, whatever the answer is."""
    found = [f"no answer from {url} in {_PROBE:g} s"]

    def ask() -> None:
        try:
            urllib.request.urlopen(url, timeout=_PROBE).close()
            found.append("")
        except urllib.error.HTTPError:
            found.append("")
        except urllib.error.URLError as error:  # W&B's client has certificates of its own
            found.append("" if isinstance(error.reason, ssl.SSLError) else f"no answer from {url}: {error.reason}")
        except Exception as error:
            found.append(f"no answer from {url}: {_brief(error)}")

    asking = threading.Thread(target=ask, daemon=True)  # looking up a name knows no time limit
    asking.start()
    asking.join(_PROBE)
    return found[-1]


def _brief(error: Exception) -> str:
    """Return an error as one line."""
    return shown(" ".join(str(error).split()) or type(error).__name__)


def _quoted(path: Path | str) -> str:
    return shlex.quote(str(path))
