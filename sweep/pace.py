"""How long what is left of a sweep takes, from what its runs took: measured, never assumed. Imports no torch."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from sweep.results import LOG

_LINE = re.compile(
    r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ INFO sweep\.\w+: (?:"
    r"attempt (?P<attempt>\d+) by|.* from step (?P<first>\d+) of (?P<steps>\d+)$|.*\bstep (?P<step>\d+)$)",
    re.MULTILINE,
)


def cost(settings: dict) -> float:
    """What a run takes, compared with others: steps times bins. A constant-Q row takes as long as one of 500 more.

    With a trained front-end 2.4 to 7 times as long, of a constant-Q row 13 (H100, experiments/trainable_kernels).
    """
    numbers = settings["representation"]
    bins = numbers.get("n_mels") or numbers.get("n_bins") or numbers.get("n_fft", 0) // 2 + 1
    bins += 500 * (numbers.get("family") == "cqt")
    steps, fixed = settings["protocol"]["steps"], settings["protocol"].get("fixed_steps", 0)
    if settings.get("frontend", {}).get("trainable"):
        steps = fixed + (steps - fixed) * (13 if numbers.get("family") == "cqt" else 4)
    return steps * bins


def fit(costs: list[float | None], seconds: list[float]):
    """From a run's cost to the seconds that it takes, as a constant and a share of the cost, neither below 0.

    Least squares over the runs measured. Where all of these cost the same, the middle between a constant and a share:
    what is left costs more in most sweeps, but not all of it grows. A run of unknown cost takes their mean.

    Args:
        costs: of the measured runs; None where it is not known.
        seconds: that they took.

    Returns:
        a function of a cost or None; it says None where nothing was measured.

    >>> fit([100.0, 300.0], [3.0, 5.0])(200.0)
    4.0
    """
    if not seconds:
        return lambda cost: None
    mean = float(np.mean(seconds))
    known = [(c, s) for c, s in zip(costs, seconds, strict=True) if c is not None]
    if not known:
        return lambda cost: mean
    if len({c for c, _ in known}) == 1:
        return lambda cost: mean if cost is None else mean * (1 + cost / known[0][0]) / 2
    from scipy.optimize import nnls

    measured = np.array(known)
    scale = measured[:, 0].max()
    (base, slope), _ = nnls(np.column_stack([np.ones(len(measured)), measured[:, 0] / scale]), measured[:, 1])
    return lambda cost: mean if cost is None else round(float(base + slope * cost / scale), 6)


@dataclass(frozen=True)
class Progress:
    """How far a run that is not done has come in its last attempt, by its log.

    Attributes:
        began: seconds since 1970, of the attempt.
        first, steps: the step that training began at, and how many there are; None before.
        step: the last one that the log tells of.
        training: seconds since 1970 at which training began, or None.
        seen: the same for the last step.
    """

    began: float
    first: int | None = None
    steps: int | None = None
    step: int | None = None
    training: float | None = None
    seen: float | None = None

    @property
    def rate(self) -> float | None:
        """Steps a second in this attempt; None where none were measured."""
        if self.step is None or self.step <= self.first or self.seen <= self.training:
            return None
        return (self.step - self.first) / (self.seen - self.training)


def read_progress(run: Path) -> Progress | None:
    """The progress of a run by the log in its folder; None where there is no attempt in it."""
    try:
        text = (run / LOG).read_text(errors="replace")
    except OSError:
        return None
    found = None
    for line in _LINE.finditer(text):
        time = datetime.strptime(line["time"], "%Y-%m-%d %H:%M:%S").timestamp()
        if line["attempt"]:
            found = Progress(began=time)
        elif found and line["first"]:
            first = int(line["first"])
            found = Progress(found.began, first, int(line["steps"]), first, time, time)
        elif found and found.steps is not None:
            found = Progress(found.began, found.first, found.steps, int(line["step"]), found.training, time)
    return found


def clock(seconds: float | None) -> str:
    """A length of time in words, as exact as an estimate can be.

    >>> clock(8.2), clock(75), clock(4000), clock(None)
    ('8 s', '1 min 15 s', '1 h 7 min', 'unknown')
    """
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {round(seconds % 3600 / 60):d} min"
