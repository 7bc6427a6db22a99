"""What can be chosen when a run is scored anew, and the run's own choices, around which each is varied alone."""

import contextlib
import difflib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweep.checks import check_positive, check_share, check_whole, shown
from sweep.config import Data
from sweep.config.words import read_values
from sweep.data.recording import SAMPLE_RATE
from sweep.fields import keys_of
from sweep.registry import options_of, sources
from sweep.results.notes import ONSET_TOLERANCE
from sweep.results.probabilities import STEP
from sweep.results.result import Result

_PLACE = "data."
_OF_LABELS = ("root", "shift")  # keys of Data that choose other labels, beside the source's own
_JOINT = re.compile(r"(?<!^)\+(?=[A-Za-z_][\w.]*=)")  # a plus before a key; any other is of a value
_LONGEST_STEP = SAMPLE_RATE // STEP * STEP  # a second; frames that are farther apart are none that anyone scores


@dataclass(frozen=True)
class Scoring:
    """How a run is scored.

    Attributes:
        data: where the labels are, and which.
        threshold: probability above which a note sounds.
        onset_threshold: probability above which one begins; None for a model without an onset head.
        tolerance: greatest distance of a right note's onset from the label's, in seconds.
        frame_step: samples at 44,100 Hz between the frames that are scored and that notes are formed from; None: those
            of the run.
    """

    data: Data
    threshold: float
    onset_threshold: float | None
    tolerance: float = ONSET_TOLERANCE
    frame_step: int | None = None


@dataclass(frozen=True, eq=False)
class Choice:
    """Keys of `Scoring`, or of its data, and a value for each: mostly one, several where one asks for the other.

    Attributes:
        values: value by key, whose name is as on the command line, such as "data.shift".
    """

    values: Mapping[str, Any]

    def applied(self, scoring: Scoring) -> Scoring:
        """Return a scoring with this choice.

        Raises:
            ValueError: the data's source has no such key, or takes no such value.
        """
        chosen = dict(self.values)
        if "threshold" in chosen and scoring.onset_threshold is not None:
            chosen["onset_threshold"] = chosen["threshold"]  # as in a run: one number for both heads
        own = {key.removeprefix(_PLACE): chosen.pop(key) for key in self.values if key.startswith(_PLACE)}
        data = Data.from_tree(scoring.data.record() | own) if own else scoring.data
        return replace(scoring, data=data, **chosen)

    @property
    def key(self) -> str:
        """The keys, joined as on the command line."""
        return "+".join(self.values)

    @property
    def value(self) -> str:
        """The values in words, joined as the keys are."""
        return "+".join(_said(value) for value in self.values.values())

    @property
    def words(self) -> str:
        """The choice as a command line has it."""
        return "+".join(f"{key}={_said(value)}" for key, value in self.values.items())

    def title(self, results: Iterable[Result]) -> str:
        """Return the choice for a line of a table: with what runs have in its place, or all of several keys in short.

        Args:
            results: results of the runs, whose data has the keys.
        """
        if len(self.values) == 1:
            before = dict.fromkeys(_before(self.key, result) for result in results)
            return f"{self.key} {' or '.join(before)} → {self.value}"
        place = _PLACE if self.key.startswith(_PLACE) else ""
        return place + "+".join(f"{key.removeprefix(place)}={_short(value)}" for key, value in self.values.items())


def _before(key: str, result: Result) -> str:
    """Return a run's own value of a key in words."""
    if key == "threshold":
        return str(result.config.get("threshold", result.threshold))
    if key in _OTHERS:
        return _OTHERS[key][1]
    return _said(own_scoring(result, None).data.record()[key.removeprefix(_PLACE)])


def own_scoring(result: Result, root: Path | None) -> Scoring:
    """Return how a run was scored.

    Args:
        result: the run's result.
        root: folder of its recordings; None: where the run found them.

    Raises:
        ValueError: its configuration holds no data that can be read.
    """
    data = Data.from_tree(result.config["data"] if isinstance(result.config.get("data"), dict) else {})
    usual = {key: it.default for key, it in options_of(sources[data.source], sources.given).items()}
    data = replace(data, options={**usual, **data.options})
    if root is not None:
        data = replace(data, root=str(root))
    return Scoring(data, result.threshold, result.onset_threshold)


def read_choices(words: Iterable[str]) -> list[Choice]:
    """Read the words of a command line, KEY=VALUE[,VALUE...][+KEY=...], into a choice for each value.

    A choice has all keys that are joined by a plus; where several of them have several values, each goes with each.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    choices: dict[str, Choice] = {}
    for word in words:
        parts = [read_values(part) for part in _JOINT.split(word)]
        keys = [key for key, _ in parts]
        for key, values in parts:
            if keys.count(key) > 1:
                raise ValueError(f"{shown(word)}: has {shown(key)} twice; join different keys, and values by a comma")
            for value in values:
                _check(key, value)
        for combined in itertools.product(*(values for _, values in parts)):
            choice = Choice(dict(zip(keys, combined, strict=True)))
            choices.setdefault(repr(choice.values), choice)
    return list(choices.values())


def check_choices(choices: Iterable[Choice], results: Iterable[Result]) -> None:
    """Check that the data of some runs has the keys of each choice, and takes their values.

    Raises:
        ValueError: no run's data does; says what is wrong for the first one.
    """
    own = []
    for result in results:
        with contextlib.suppress(ValueError):  # the run is left out
            own.append(own_scoring(result, None))
    for choice in choices:
        wrong = []
        for scoring in own:
            try:
                choice.applied(scoring)
                break
            except ValueError as error:
                wrong.append(error)
        else:
            if wrong:
                raise wrong[0]


def _check(key: str, value: Any) -> None:
    """Check that a key can be chosen anew, and its value as far as it does not depend on the runs."""
    if key in _OTHERS:
        _OTHERS[key][0](key, value)
        return
    known = [*(f"{_PLACE}{name}" for name in _OF_LABELS), *_OTHERS]
    name = key.removeprefix(_PLACE)
    fixed = [field.name for field in keys_of(Data) if field.name not in _OF_LABELS]
    if name == key or name in fixed:
        close = difflib.get_close_matches(key, known, n=1)
        said = f"did you mean {close[0]}?" if close else f"there is {', '.join(known)} and the source's own {_PLACE}KEY"
        raise ValueError(f"{shown(key)} ({shown(value)}): does not change how a run is scored; {said}")


def _check_frame_step(key: str, value: Any) -> None:
    check_whole(key, value)
    if value % STEP:
        raise ValueError(f"{key} {value}: needs a multiple of {STEP}, since probabilities are kept each {STEP} samples")
    if value > _LONGEST_STEP:
        raise ValueError(f"{key} {value}: needs at most {_LONGEST_STEP}, a second")


def _said(value: Any) -> str:
    """Write a value as a command line has it."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _short(value: Any) -> str:
    """Write a value as `_said` does, but of a path its last part."""
    return _said(value).rstrip("/").rpartition("/")[2]


# The keys beside those of the data: their check, and the value of a run in words.
_OTHERS: dict[str, tuple[Callable[[str, Any], None], str]] = {
    "threshold": (check_share, ""),
    "tolerance": (check_positive, f"{ONSET_TOLERANCE:g}"),
    "frame_step": (_check_frame_step, "own"),
}
