"""Where the curves of a run go: CSV files, Weights & Biases, or nowhere. All are copies; result.json is the truth."""

import contextlib
import hashlib
import netrc
import os
from pathlib import Path

from sweep.config import Logger, RunConfig


def build_loggers(config: RunConfig, folder: Path, first: int) -> list:
    """The Lightning loggers that `logger` names. W&B's stands beside the CSV files, from which a report draws curves.

    Args:
        config: of the run.
        folder: of the run.
        first: step that training starts at; a resumed run adds a second CSV file and continues its W&B run.
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
            resume="allow" if first else None,  # None replaces what a run that starts anew had logged
        )
        run.define_metric("trainer/global_step")
        run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
        loggers.append(WandbLogger(experiment=run))
    return loggers


@contextlib.contextmanager
def closing(loggers: list):
    """Close a W&B run at the end, whatever happens, so that the next begins its own; yields what takes its summary."""
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
    """Sends a sweep's table, pictures and page to W&B, as a run of its own, which a later call continues.

    It is no member of the sweep's group: that holds the runs, so that W&B averages nothing but them.

    Args:
        report: `sweep.report.Report`.
        pictures: of it, `sweep.report.pictures.Picture`.
        page: report.html.
        logger: conf's `logger`.
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
    """A W&B run that has one id for one folder, however often it is resumed; offline where there is no account."""
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
