"""How long what is left of a sweep takes, from what its runs took: measured, never assumed."""

import numpy as np


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
