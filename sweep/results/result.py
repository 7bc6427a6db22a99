"""Define, read and write result.json; it is written last, so a run that has one is done."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.files import write_whole
from sweep.results.json_files import UnreadableError, build, fits, read_object, shown
from sweep.results.scoring import SCORES

RESULT = "result.json"
FORMAT = 6  # version of the schema, increased whenever a field changes its meaning
ELSEWHERE = ("scores", "recordings", "labels")  # what is kept of another set
_REMEDY = "delete it and run the same command again, which redoes this run"


class OtherFormatError(ValueError):
    """result.json was written in another format, by another version of the program.

    Args:
        path: the file.
        found: format found in it.
    """

    def __init__(self, path: Path, found: Any):
        super().__init__(
            f"{path} has format {found}, this version reads {FORMAT}: choose another folder with runs=DIR, or "
            "make it anew with overwrite=true"
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """Content of result.json.

    Attributes:
        representation, family, variant, model, protocol, data, seed: names and seed that identify the run.
        config: configuration of the run, `RunConfig.record`.
        scores: mean of each of `scoring.SCORES` over the test recordings; None where it is not defined.
        recordings: scores of each test recording by its id, None where they are not defined, with "blocks": counts of
            "frames" and of "notes" by block of time, `scoring.count_blocks` and `notes.score_notes`; there are no
            "notes" where none were scored. Where the data set names groups, with the recording's "group".
        elsewhere: "scores", "recordings" and "labels", as those here, of each other set that the run was scored on
            (`data.test`), by its name.
        threshold: probability above which a note was estimated as sounding.
        onset_threshold: probability above which one was estimated as beginning; None for a model without an onset head.
        bins, context, empty_filters, norm: properties of the representation; `norm` is None if it has none.
        remarks: what a table says of the row, `Representation.remarks`.
        window: samples in a window, at the row's sample rate.
        parameters: number of trained weights in "frontend" and "model".
        multiply_adds: multiply-adds of "frontend" and "model" for a second of audio, at an estimate each 512 samples.
        moved: median relative change of the trained "kernels" and "bank"; None for what was not trained.
        engine: engine that computed the spectrograms, and the reason for its choice.
        resumed_from: step at which the last call began.
        seconds: duration of "setup", "training" and "scoring" in the last call.
        windows_per_second: training speed; None if the last call did not train.
        precision, frontend_accuracy: arithmetic of the model and of the front-end.
        source: layout of the data, `data.source`.
        labels: what the labels' onsets and offsets are, `Source.remark`.
        changed: settings of protocol, data or control given on the command line, "key=value ...".
        audio: amount of training audio and its placement, in words.
        trained_on: number and length of the recordings that the run trained on, and how many of the piano's pitches
            never sound in them, in words.
        peak_memory_bytes, gpu_utilisation: peak memory in bytes and GPU utilisation in percent; None where unknown.
        device, versions, git_revision: device, package versions and git commit of the last call.
    """

    representation: str
    family: str
    variant: str
    model: str
    protocol: str
    data: str
    seed: int
    config: dict[str, Any]
    scores: dict[str, float | None]
    recordings: dict[str, dict[str, Any]]
    elsewhere: dict[str, dict[str, Any]]
    threshold: float
    onset_threshold: float | None
    bins: int
    context: int
    empty_filters: int
    norm: str | None
    remarks: list[str]
    window: int
    parameters: dict[str, int]
    multiply_adds: dict[str, float]
    moved: dict[str, float | None]
    engine: str
    resumed_from: int
    seconds: dict[str, float]
    windows_per_second: float | None
    precision: str
    frontend_accuracy: str
    source: str
    labels: str
    changed: str
    audio: str
    trained_on: str
    peak_memory_bytes: int | None
    gpu_utilisation: float | None
    device: str
    versions: dict[str, str]
    git_revision: str | None

    @property
    def row(self) -> str:
        """Name of the row: the representation and its variant, such as "cqt-48+norm=none"."""
        return "+".join(filter(None, (self.representation, self.variant)))


def read_result(folder: Path) -> Result | None:
    """Read the result of the run in a folder; None if there is no result.json.

    Raises:
        OtherFormatError: result.json has another format.
        ValueError: result.json is damaged or cannot be read.
    """
    path = folder / RESULT
    try:
        content = read_object(path)
        if content is None:
            return None
        found = content.get("format", 1)  # the first format had no number
        if not isinstance(found, int):
            raise ValueError(f"its format is {json.dumps(found)[:40]}")
        if found != FORMAT:
            raise OtherFormatError(path, found)
        result = build(Result, content, others=True)
        _check_recordings(result.recordings)
        for name, part in result.elsewhere.items():
            _check_elsewhere(name, part)
        return result
    except (OtherFormatError, UnreadableError):
        raise
    except ValueError as error:  # includes invalid JSON and invalid UTF-8
        raise ValueError(f"{path}: damaged, {error}; {_REMEDY}") from None


def _check_recordings(recordings: dict[str, dict[str, Any]]) -> None:
    """Raise a ValueError if a recording's score is no number or its group no text."""
    for id, scores in recordings.items():
        for name, value in scores.items():
            if name in SCORES and not fits(value, float | None) or name == "group" and not isinstance(value, str):
                raise ValueError(f"{name} of its recording {id} is {shown(value)}")


def _check_elsewhere(name: str, part: dict[str, Any]) -> None:
    """Raise a ValueError if the entries of another set have not the form of those of a `Result`."""
    for entry, form in zip(ELSEWHERE, (dict[str, float | None], dict[str, dict[str, Any]], str), strict=True):
        if not fits(part.get(entry), form):
            raise ValueError(f"its {entry} on {shown(name)} are {shown(part.get(entry))}")
    try:
        _check_recordings(part["recordings"])
    except ValueError as error:
        raise ValueError(f"of its scores on {shown(name)}, {error}") from None


def write_result(folder: Path, result: Result) -> None:
    """Write result.json; call this last, since a run that has one is done.

    NaN and infinity, which JSON lacks, are written as null; NumPy scalars are written as numbers.
    """
    content = {"format": FORMAT} | dataclasses.asdict(result)
    write_whole(folder / RESULT, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    """Replace NaN and infinity in a nested value by None, and NumPy scalars by Python numbers."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
