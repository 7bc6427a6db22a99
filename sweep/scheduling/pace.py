"""Estimate the remaining time of a sweep from the durations of its finished runs."""

import math

import numpy as np


def fit(costs: list[float | None], seconds: list[float]):
    """Fit seconds = base + slope * cost to the measured runs, by least squares with base and slope not below 0.

    If all measured runs have the same cost, the estimate is the mean of a constant and a proportional law: in most
    sweeps the remaining runs cost more, but part of the time does not grow with the cost. A run of unknown cost gets
    the mean duration.

    Args:
        costs: relative costs of the measured runs; None where unknown.
        seconds: durations of the measured runs, in seconds.

    Returns:
        A function from a cost or None to seconds; it returns None if no run was measured.

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


def clock(seconds: float | None) -> str:
    """Format a duration in words, to the precision of an estimate.

    Args:
        seconds: duration in seconds; None if unknown.

    >>> clock(8.2), clock(75), clock(4000), clock(None)
    ('8 s', '1 min 15 s', '1 h 7 min', 'unknown')
    """
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {round(seconds % 3600 / 60):d} min"
