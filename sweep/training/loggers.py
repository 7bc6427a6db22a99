"""Log the curves of a run to CSV files or Weights & Biases. Logs are copies; result.json holds the result."""

import contextlib
import hashlib
import netrc
import os
from pathlib import Path

from sweep.config import Logger, RunConfig


def build_loggers(config: RunConfig, folder: Path, first: int) -> list:
    """Build the run's Lightning loggers: CSV files, from which a report draws curves, and W&B if `logger` asks for it.

    Args:
        config: the run's configuration.
        folder: the run's folder.
        first: step at which training starts; a resumed run adds a second CSV file and continues its W&B run.
    """
    if config.logger.name == "none":
        return []
    from lightning.pytorch.loggers import CSVLogger

    loggers = [CSVLogger(save_dir=folder, name="curves", version=f"from-step-{first}")]
    if config.logger.name == "wandb":
        from lightning.pytorch.loggers import WandbLogger

        sweep = folder.parents[2]
        run = _wandb_run(
            folder,
            config.logger,
            name=str(folder.relative_to(sweep)),
            group=str(sweep),
            config=config.record(),
            resume="allow" if first else None,  # None: a run that starts anew replaces its old log
        )
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        loggers.append(WandbLogger(experiment=run))
    return loggers


@contextlib.contextmanager
def closing(loggers: list):
    """Close a W&B run when the block ends, even after an error, so that the next begins its own; yield its summary."""
    found = [logger for logger in loggers if type(logger).__name__ == "WandbLogger"]
    if not found:
        yield {}
        return
    run = found[0].experiment
    try:
        yield run.summary
    except BaseException:
        run.finish(exit_code=1)
        raise
    run.finish()


def log_report(report, pictures: list, page: Path, logger: Logger) -> None:
    """Send a sweep's table, pictures and page to W&B as a run of its own, which a later call continues.

    This run is not in the sweep's W&B group, so that W&B averages only the training runs.

    Args:
        report: report of the sweep, a `sweep.report.Report`.
        pictures: pictures of the report, each a `sweep.report.pictures.Picture`.
        page: the file report.html.
        logger: the configuration's group `logger`.
    """
    import wandb
    from PIL import Image

    lines = report.lines.astype(object).where(report.lines.notna(), None)
    name = f"{report.folder.parent.name}/{report.folder.name} report"
    run = _wandb_run(report.folder, logger, name=name, job_type="report", resume="allow")
    with run:
        content = {"comparison": wandb.Table(columns=list(lines), data=lines.to_numpy().tolist())}
        for picture in pictures:
            path = report.folder / "pictures" / f"{picture.name}.png"
            if path.exists():
                content[f"pictures/{picture.name}"] = wandb.Image(Image.open(path), caption=picture.title)
        run.log(content | {"report": wandb.Html(page.read_text(encoding="utf-8"), inject=False)})
        run.summary["verdict"] = report.verdict


def _wandb_run(folder: Path, logger: Logger, **identity):
    """Start or resume the W&B run whose id belongs to a folder; offline if there is no account."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")
    number = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    mode = "online" if _has_wandb_account() else "offline"
    return wandb.init(project=logger.project, id=number, dir=folder, mode=mode, **identity)


def _has_wandb_account() -> bool:
    if os.environ.get("WANDB_MODE") in ("offline", "disabled"):
        return False
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False
