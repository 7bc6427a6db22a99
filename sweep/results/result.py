"""The result of a run: the schema of result.json, which is written last, so that a run with one is done."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from sweep.files import write_whole

RESULT = "result.json"
FORMAT = 2  # one more whenever a field changes its meaning
_REMEDY = "delete it and run the same command again, which redoes this run"


class OtherFormatError(ValueError):
    """A result was written by another version of the program.

    Args:
        path: of the file.
        found: its format.
    """

    def __init__(self, path: Path, found: Any):
        super().__init__(
            f"{path} has format {found or 1}, this version reads {FORMAT}: choose another folder with runs=DIR, or "
            "make it anew with overwrite=true"
        )


@dataclass(frozen=True, kw_only=True)
class Result:
    """What result.json holds.

    Attributes:
        representation, family, variant, model, protocol, data, seed: what the run is.
        config: `RunConfig.record` of its configuration.
        scores: mean of each of `scoring.SCORES` over the test recordings; None where it is not defined.
        recordings: by id, the scores of each test recording and "blocks", its counts by block of time.
        threshold: probability above which a note was estimated.
        bins, context, empty_filters, norm: of the representation; `norm` is None where it has none.
        window: samples of a window.
        parameters: trained weights of "frontend" and "model".
        moved: for a trained front-end, the median change of "kernels" and "bank" over their norm.
        engine: which engine computed the spectrograms, and why.
        resumed_from: step at which the last call began.
        seconds: of the last call: "setup", "training" and "scoring".
        windows_per_second: in training; None where the last call did not train.
        precision, frontend_accuracy: of the arithmetic.
        source: `data.source`.
        changed: what the command line set in protocol, model, data or control, "key=value ...".
        audio: how much audio there was to train on and where it lay, in words.
        peak_memory_bytes, gpu_utilisation: bytes and percent, None where unknown.
        device, versions, git_revision: what it ran on.
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
    threshold: float
    bins: int
    context: int
    empty_filters: int
    norm: str | None
    window: int
    parameters: dict[str, int]
    moved: dict[str, float | None]
    engine: str
    resumed_from: int
    seconds: dict[str, float]
    windows_per_second: float | None
    precision: str
    frontend_accuracy: str
    source: str
    changed: str
    audio: str
    peak_memory_bytes: int | None
    gpu_utilisation: float | None
    device: str
    versions: dict[str, str]
    git_revision: str | None


def read_result(folder: Path) -> Result | None:
    """The result of the run in a folder; None where it is not done.

    Raises:
        OtherFormatError: another version wrote it.
        ValueError: result.json is damaged.
    """
    path = folder / RESULT
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
    except FileNotFoundError:
        return None
    except ValueError as error:  # also what is no JSON or no UTF-8
        raise ValueError(f"{path}: damaged, {error}; {_REMEDY}") from None
    if content.get("format") != FORMAT:
        raise OtherFormatError(path, content.get("format"))
    fields = dataclasses.fields(Result)
    for field in fields:
        if field.name not in content or get_origin(field.type) is dict and not isinstance(content[field.name], dict):
            raise ValueError(f"{path}: damaged, it has no {field.name}; {_REMEDY}")
    return Result(**{field.name: content[field.name] for field in fields})


def write_result(folder: Path, result: Result) -> None:
    """Write result.json: the run is done from then on, so this comes last.

    JSON knows neither NaN nor infinity: they are written as null. NumPy's scalars are written as numbers.
    """
    content = {"format": FORMAT} | dataclasses.asdict(result)
    write_whole(folder / RESULT, json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    """The value with None for each NaN or infinity in it, and Python's numbers for NumPy's."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
