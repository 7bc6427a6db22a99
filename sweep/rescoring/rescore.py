"""Score the finished runs of a folder anew under some choices, each alone, and tabulate the scores."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from sweep.config import Data, Protocol
from sweep.data.instants import scored_length
from sweep.data.recording import SAMPLE_RATE
from sweep.names import plain
from sweep.registry import sources
from sweep.rescoring.choices import Choice, Scoring, own_scoring
from sweep.rescoring.labels import Labels, version_of
from sweep.rescoring.scores import METRICS, Task, Way, score_recording
from sweep.results.pool import count_processes, start_pool
from sweep.results.probabilities import PROBABILITIES, REMEDY, STEP, kept_recordings
from sweep.results.result import Result
from sweep.results.table import Runs

WRITTEN, BASELINE = "result.json", "baseline"  # beside the choices in the table
_ROW = ("run", "model", "representation", "variant", "seed")
_POOLED = 200_000  # notes to match, 6 s of work, from which processes pay off: each takes 1.5 s to start
_NAMED = 3  # runs that a remark names


@dataclass(frozen=True)
class Rescored:
    """The runs of a <runs>/<data>/<protocol> folder, scored anew.

    Attributes:
        folder: the folder.
        table: one row for each run, choice and metric: run, model, representation, variant, seed; choice and value, of
            which the first two choices are WRITTEN, the scores of result.json, and BASELINE, the run's own choices;
            metric; score, the mean over the test recordings; and moved, how much it is above BASELINE, and BASELINE
            above WRITTEN. No rows if no run could be scored.
        titles: each choice in words, with what the runs have in its place, by its choice and value in the table.
        remarks: one line for each run that was left out, or for several, for each choice that was, and if the data has
            changed since.
    """

    folder: Path
    table: pd.DataFrame
    titles: dict[tuple[str, str], str]
    remarks: list[str]


@dataclass(frozen=True)
class _Kept:
    """A run that has kept its probabilities.

    Attributes:
        name, folder, result: the run.
        protocol: its protocol.
        scorings: its own choices, by None, and those of each choice that is another and applies to it.
    """

    name: str
    folder: Path
    result: Result
    protocol: Protocol
    scorings: dict[Choice | None, Scoring]


def rescore(
    folder: Path, runs: Runs, choices: Sequence[Choice], console: Console, root: Path | None = None
) -> Rescored:
    """Score the finished runs of a <runs>/<data>/<protocol> folder anew.

    Args:
        folder: the folder.
        runs: its runs.
        choices: what is chosen otherwise than in the runs, each alone.
        console: console that says what is done.
        root: folder of the recordings; None: where each run found them.

    Returns:
        The scores. A choice that does not apply to a run, since its data lacks a key or there are no such labels of its
        recordings, is left out for that run; where none is left, the table has no rows.

    Raises:
        ValueError: the labels that the runs were scored against cannot be read or are of other recordings.
    """
    remarks: list[str] = []
    kept = _kept_runs(folder, runs, root, remarks)
    # At a rate of one of the runs, whose audio is cached.
    rate = next((_part(one.result, "representation").get("sample_rate", SAMPLE_RATE) for one in kept), SAMPLE_RATE)
    labels = Labels(rate)
    left_out = _choose(kept, choices, labels)
    remarks += _said_left_out(folder, left_out, kept)
    if choices and all(len(left_out.get(choice, ())) == len(kept) for choice in choices):
        return Rescored(folder, pd.DataFrame(), {}, remarks)
    remarks += [*_changed(folder, kept), *_rounded(choices)]
    tasks = [_tasks(one, labels) for one in kept]
    with console.status(Text(plain(f"scoring {len(kept)} runs of {folder}"))):
        scores = iter(_score([task for part in tasks for task in part]))
    rows: list[dict[str, Any]] = []
    for one, part in zip(kept, tasks, strict=True):
        found = [next(scores) for _ in part]
        wrong = [line for line in found if isinstance(line, str)]
        remarks += [f"left out, {line}" for line in wrong[:1]]
        if not wrong:
            rows += _rows(one, runs, _means(np.array(found, float)))
    return Rescored(folder, pd.DataFrame(rows), _titles(kept, choices), remarks)


def _titles(kept: Sequence[_Kept], choices: Sequence[Choice]) -> dict[tuple[str, str], str]:
    """Return `Rescored.titles`; a choice is short unless another would read the same."""
    taken = {choice: [one.result for one in kept if choice in one.scorings] for choice in choices}
    titles = {choice: choice.title(results) for choice, results in taken.items() if results}
    shown = list(titles.values())
    return {(it.key, it.value): title if shown.count(title) == 1 else it.words for it, title in titles.items()}


def _rounded(choices: Sequence[Choice]) -> list[str]:
    """Say of thresholds between two of the steps in which probabilities are kept as which they count."""
    asked = dict.fromkeys(choice.values["threshold"] for choice in choices if "threshold" in choice.values)
    counted = {threshold: math.floor(threshold * 255 + 1e-9) / 255 for threshold in asked}
    return [
        f"threshold {threshold:g}: counts as {step:.4f}, since probabilities are kept in steps of 1/255"
        for threshold, step in counted.items()
        if threshold - step > 1e-6
    ]


def _kept_runs(folder: Path, runs: Runs, root: Path | None, remarks: list[str]) -> list[_Kept]:
    """Find the runs that have kept their probabilities, in the order of the table; add remarks on the others."""
    kept, lacking = [], []
    for name in (name for name in runs.table.run if name in runs.results):
        result = runs.results[name]
        try:
            ids = kept_recordings(folder / name)
            if ids is None:
                lacking.append(name)
                continue
            if set(ids) != set(result.recordings):
                path, theirs = folder / name / PROBABILITIES, ", ".join(result.recordings)
                raise ValueError(f"{path}: is of {', '.join(ids) or 'nothing'}, the run heard {theirs}: {REMEDY}")
            own, protocol = own_scoring(result, root), Protocol.from_tree(_part(result, "protocol"))
        except ValueError as error:
            remarks.append(f"left out, {error if str(folder) in str(error) else f'{folder / name}: {error}'}")
            continue
        kept.append(_Kept(name, folder / name, result, protocol, {None: own}))
    if lacking:
        more = f" and {len(lacking) - _NAMED} more" * (len(lacking) > _NAMED)
        named = f"{', '.join(lacking[:_NAMED])}{more}"
        remarks.append(f"{folder}: left out, without kept probabilities: {named}; {REMEDY}")
    return kept


def _part(result: Result, name: str) -> dict[str, Any]:
    part = result.config.get(name)
    return part if isinstance(part, dict) else {}


def _choose(kept: Sequence[_Kept], choices: Sequence[Choice], labels: Labels) -> dict[Choice, list[str]]:
    """Add to the runs' scorings those of each choice that is another and applies to the run.

    Returns:
        What is wrong with a choice, for each of the runs that it does not apply to.
    """
    left_out: dict[Choice, list[str]] = {}
    for one in kept:
        own = one.scorings[None]
        _check_recordings(one, own, labels)
        for choice in choices:
            try:
                other = choice.applied(own)
                _check_recordings(one, other, labels)
            except ValueError as error:
                left_out.setdefault(choice, []).append(str(error))
            else:
                if other != own:
                    one.scorings[choice] = other
    return left_out


def _said_left_out(folder: Path, left_out: dict[Choice, list[str]], kept: Sequence[_Kept]) -> Iterator[str]:
    """Yield a line for each choice that does not apply to some of the runs, or to all."""
    for choice, wrong in left_out.items():
        some = "" if len(wrong) == len(kept) else f"{len(wrong)} of {len(kept)} runs of "
        reason = wrong[0] if wrong[0].startswith(f"{choice.key} ") else f"{choice.words}: {wrong[0]}"
        yield f"left out of {some}{folder.parent.name}/{folder.name}, {reason}"


def _changed(folder: Path, kept: Sequence[_Kept]) -> Iterator[str]:
    """Yield a line if the files of some runs' data are others than when these were scored."""
    now: dict[Data, str | None] = {}
    changed = []
    for one in kept:
        data = one.scorings[None].data
        version = version_of(data)
        if version not in now:
            now[version] = sources[data.source](Path(data.root), **data.options).fingerprint()
        if None not in (data.fingerprint, now[version]) and data.fingerprint != now[version]:
            changed.append(data.root)
    if changed:
        which = "the runs were" if len(changed) == len(kept) else f"{len(changed)} of {len(kept)} runs were"
        yield (
            f"{folder}: recordings or labels in {changed[0]} have changed since {which} scored: the line above each "
            "table says by how much that moves the scores"
        )


def _check_recordings(one: _Kept, scoring: Scoring, labels: Labels) -> None:
    """Raise a ValueError unless labels are of the recordings that a run was scored on."""
    found = labels.of(scoring.data)
    other = [id for id in [*one.result.recordings, *found] if not (id in found and id in one.result.recordings)]
    if other:
        what = "is not there, which" if other[0] not in found else "is there, but not what"
        raise ValueError(
            f"{scoring.data.root}: test recording {other[0]} {what} {one.folder} was scored on: name the folder of "
            "its recordings with --root DIR"
        )


def _tasks(one: _Kept, labels: Labels) -> list[Task]:
    """List the work on a run: a task for each of its recordings."""
    own = [version_of(scoring.data) for scoring in one.scorings.values()]
    used = list(dict.fromkeys(own))
    ways = [
        Way(used.index(version), scoring.threshold, scoring.onset_threshold, scoring.tolerance, scoring.frame_step)
        for version, scoring in zip(own, one.scorings.values(), strict=True)
    ]
    sees = _part(one.result, "model").get("sees", "window")
    note_step = None if sees == "segment" else one.protocol.note_step or STEP
    sizes = scored_length(sees, one.protocol.window), one.protocol.scored_windows, note_step
    return [
        Task(one.folder, id, labels.of(own[0])[id].samples, *sizes, [labels.of(it)[id].notes for it in used], ways)
        for id in one.result.recordings
    ]


def _score(tasks: list[Task]) -> list[list[tuple[float, ...]] | str]:
    """Score recordings, in several processes if that pays off."""
    notes = sum(len(task.references[way.labels]) for task in tasks for way in task.ways)
    processes = count_processes("auto") if notes > _POOLED else 0
    if processes:
        try:
            return list(start_pool(processes).map(score_recording, tasks, chunksize=4))
        except BrokenProcessPool:  # a process was killed: score here
            start_pool.cache_clear()
    return [score_recording(task) for task in tasks]


def _means(scores: np.ndarray) -> list[dict[str, float]]:
    """Average the scores of (recordings, ways, metrics) over the recordings that have them: by metric, for each way."""
    known = np.isfinite(scores)
    with np.errstate(invalid="ignore"):
        means = np.where(known, scores, 0).sum(0) / known.sum(0)
    return [dict(zip(METRICS, way, strict=True)) for way in means.tolist()]


def _rows(one: _Kept, runs: Runs, means: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Return a run's rows of the table."""
    row = runs.table[runs.table.run == one.name].iloc[0]
    about = {name: row[name] for name in _ROW}
    written = {name: math.nan if one.result.scores.get(name) is None else one.result.scores[name] for name in METRICS}
    lines = [(WRITTEN, "", written, dict.fromkeys(METRICS, math.nan)), (BASELINE, "", means[0], written)]
    pairs = zip(one.scorings, means, strict=True)
    lines += [(choice.key, choice.value, scores, means[0]) for choice, scores in pairs if choice]
    return [
        {**about, "choice": key, "value": value, "metric": it, "score": scores[it], "moved": scores[it] - base[it]}
        for key, value, scores, base in lines
        for it in METRICS
    ]
