"""Find the run that transcribes, by its folder or as the best of a sweep, and load its model."""

import os
from pathlib import Path

import pandas as pd

from sweep.config import RunConfig
from sweep.config.run import chosen_classes
from sweep.registry import models, sources
from sweep.report.units import ROW
from sweep.results.finding import protocol_folders
from sweep.results.metrics import METRICS, Metric
from sweep.results.plan import read_plan
from sweep.results.result import RESULT, Result
from sweep.results.state import MODEL, state_of
from sweep.results.table import read_runs

BEST = "best"
_ROOT = "runs"  # default of `runs` in conf/


def find_run(asked: Path, metric: str | None = None) -> tuple[Path, str]:
    """Find the run that a path means.

    Args:
        asked: folder of a run; or a folder with runs of one sweep, or "best" in such a folder, which mean its best done
            run. The best run is the seed with the highest score of the row with the highest score, averaged over its
            seeds as in the report. "best" alone means runs/best.
        metric: the score, one of METRICS; None: the one that the last command of the sweep asked for.

    Returns:
        Folder of the run, and the reason for its choice in words; the reason is empty if the run itself was named.

    Raises:
        ValueError: there is no such run, it is not done, or the folder holds several sweeps.
    """
    if asked.name == BEST and not asked.exists():
        asked = Path(_ROOT) if asked.parent == Path() else asked.parent
    if not asked.is_dir():
        raise ValueError(f"{asked}: no such folder; give a run's folder, such as runs/demo/quick/linear/cqt-48/seed-0")
    if asked.name.startswith("seed-") or (asked / RESULT).exists():
        _check_done(asked)
        return asked, ""
    remarks = list[str]()
    folders = protocol_folders(asked, remarks)
    if not folders:
        raise ValueError("; ".join(remarks) or f"{asked}: no runs in or below it; sweep +grid=smoke makes some")
    if len(folders) > 1:
        names = ", ".join(str(asked / folder.relative_to(os.path.abspath(asked))) for folder in folders)
        raise ValueError(f"{asked}: holds sweeps whose scores do not compare; choose one: {names}")
    runs = read_runs(folders[0])
    by, table = METRICS[metric or runs.ranking.metric], runs.table
    table = table[[Path(os.path.abspath(asked)) in (folders[0] / run).parents for run in table.run]]
    done = table[table.status == "done"]
    if done.empty:
        raise ValueError(f"{asked}: none of its {len(table)} runs is done; sweep status {asked} says why")
    done = done[done[by.name].notna()]
    if done.empty:
        raise ValueError(f"{asked}: no best run, since {by.words} is undefined without notes to test on; name a run")
    return _best(folders[0], done, by)


def _best(folder: Path, done: pd.DataFrame, by: Metric) -> tuple[Path, str]:
    rows = done.groupby(ROW)[by.name]
    row = rows.transform("mean").idxmax()
    same = done[(done[ROW] == done.loc[row, ROW]).all(axis=1)]
    best = same.loc[same[by.name].idxmax()]
    seeds = f", a mean over {len(same)} seeds of which this is the best" if len(same) > 1 else ""
    mean = same[by.name].mean()
    return _relative(folder / best.run), f"{by.words} {mean:.3f}{seeds}, the highest of {rows.ngroups} done"


def _check_done(run: Path) -> Result:
    """Read the result of a run that must be done.

    Raises:
        ValueError: the run is not done.
    """
    folder = run.resolve()
    table = folder.parents[min(2, len(folder.parents) - 1)]
    try:
        planned = read_plan(table).get(folder.relative_to(table).as_posix())
    except ValueError:  # the plan is damaged, which other commands say; the run is there
        planned = None
    state = state_of(run, planned.identity if planned else None)
    if state.result is None:
        note = f", {state.note}" * bool(state.note)
        raise ValueError(f"{run}: the run is {state.status}{note}: transcribing takes one that is done")
    return state.result


def _relative(path: Path) -> Path:
    """Make a path relative to the working directory if it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if here in path.parents else path


def _check_registered(run: Path, result: Result) -> None:
    """Check that this process knows the classes of a run, and that none but its source has changed.

    Raises:
        ValueError: a class from outside the package is not registered, or has another code than in the run.
    """
    codes = result.config.get("code") or {}
    for key, registry, name in chosen_classes(result.config):
        kind = registry.kind.partition(".")[0]
        if name not in registry:
            raise ValueError(
                f"{run}: its {kind} {name} is not known here: give `python SCRIPT transcribe` with the script that "
                "registers it, or install its package"
            )
        if registry is not sources and registry.code(name) != codes.get(key):
            raise ValueError(
                f"{run}: its {kind} {name} has changed since it was trained: put its code back, or train it again with "
                "overwrite=true"
            )


def load_transcriber(run: Path, device: str):
    """Load the trained model of a done run for prediction.

    Args:
        run: folder of the run.
        device: "auto", "cpu" or "cuda".

    Returns:
        The `Transcriber` on its device, the run's representation, and its result.

    Raises:
        ValueError: the model is missing or damaged, or this version does not know its configuration.
    """
    result, path = _check_done(run), run / MODEL
    if not path.exists():
        raise ValueError(f"{path}: no such file, so there is nothing to transcribe with; overwrite=true makes it anew")
    _check_registered(run, result)
    import torch  # with Lightning it takes seconds to import, so errors above come first

    from sweep.data.recording import N_NOTES
    from sweep.training.building import build_transcriber
    from sweep.training.checkpoints import DamagedError, check_state
    from sweep.training.machine import choose_device

    try:
        config = RunConfig.from_tree(result.config)
    except Exception as error:  # of a configuration of another version, or of damaged values, of any type
        said = " ".join(str(error).split())
        raise ValueError(f"{run / RESULT}: this version cannot read its configuration ({said})") from None
    try:
        check_state(path, config)
        heads = models[config.model.name].HEADS
        bias = {head: torch.zeros(N_NOTES) for head in heads} if config.protocol.output_bias else None
        transcriber = build_transcriber(config, bias)
        transcriber.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["state_dict"])
    except DamagedError as error:
        raise ValueError(f"{error}; overwrite=true makes it anew, and another run can be named") from None
    except (AttributeError, KeyError, TypeError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: made by another version, this one cannot load it ({said})") from None
    return transcriber.to(choose_device(device)).eval(), config.representation, result
