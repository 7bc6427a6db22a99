"""The learning rate of each step."""

import math

from sweep.config import Protocol


def learning_rates(protocol: Protocol, step: int, n_features: int, frontend: float | None) -> list[float]:
    """Return a step's learning rates.

    Args:
        protocol: protocol of the run.
        step: number of steps taken before.
        n_features: features of a window, whose square root may divide the model's rate.
        frontend: largest rate of a trainable front-end; None: the model's.

    Returns:
        The model's rate and that of a trainable front-end.
    """
    rate = protocol.learning_rate
    if protocol.learning_rate_scaling == "features":
        rate /= math.sqrt(n_features)
    share = _share(protocol, step)
    return [largest * share for largest in (rate, rate if frontend is None else frontend)]


def _share(protocol: Protocol, step: int) -> float:
    """Return a step's rate relative to the largest: the warm-up's rise times the schedule's fall."""
    share = min(1.0, (step + 1) / (protocol.warm_up * protocol.steps)) if protocol.warm_up else 1.0
    if protocol.schedule == "linear":
        return share * max(0.0, 1 - step / protocol.steps)
    if protocol.schedule == "cosine":
        return share * (1 + math.cos(math.pi * min(1.0, step / protocol.steps))) / 2
    return share
