"""Constant-Q magnitude."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import choice, positive, whole
from sweep.registry import families
from sweep.representations.representation import Representation


@families.register("cqt")
@dataclass(frozen=True, kw_only=True)
class ConstantQ(Representation):
    """Constant-Q magnitude."""

    TRANSFORM = "CQT"
    ORDER, COLOUR, MARKER = 3, "#D55E00", "D"
    TRAINED_COST = 13.0  # H100, experiments/trainable_kernels

    n_bins: int = whole()
    """Number of bins."""
    bins_per_octave: int = whole()
    """Bins per octave, which set the kernels' lengths."""
    f_min: float = positive()
    """Lowest bin in Hz."""
    norm: str = choice(*filters.CONSTANT_Q_NORMS)
    """Factor of a kernel whose window sums to 1; `sqrt_length` is the root of its length."""
    algorithm: str = choice(*filters.CONSTANT_Q_ALGORITHMS)
    """Evaluation of the sum: `exact`, by a published algorithm, or with the approximations of a library."""
    bandwidth: str = choice(*filters.CONSTANT_Q_BANDWIDTHS, default="next_bin")
    """What sets the kernels' lengths: the distance to the next bin, or half that between both neighbours (librosa)."""
    power: int = choice(1, 2, default=1)
    """Exponent of the magnitude."""

    def __post_init__(self):
        object.__setattr__(self, "algorithm", str(self.algorithm))  # YAML reads 1992 as a number
        super().__post_init__()

    def measure(self) -> dict[str, Any]:
        if self.bins_per_octave * self.sample_rate > 2**30 * self.f_min:
            raise ValueError(
                f"f_min {self.f_min:g}: its kernel would be more than 2^30 samples long; choose a higher one"
            )
        frequencies = filters.constant_q_frequencies(self.n_bins, self.bins_per_octave, self.f_min, self.sample_rate)
        numbers = (frequencies, self.bins_per_octave, self.sample_rate, self.norm, self.bandwidth)
        kernels = filters.constant_q_kernels(filters.as_window(self.window), *numbers)  # type: ignore[arg-type]
        return {"frequencies": frequencies, "context": int(kernels.lengths.max())}

    @property
    def reach(self) -> int:
        # Algorithms other than the sum of the kernels pad by up to twice as much: to a power of two, at each rate.
        return (self.context + 1) // 2 if self.algorithm in ("exact", "1992v2") else self.context

    def arguments(self) -> dict[str, Any]:
        numbers = super().arguments()
        return {"output": "power" if numbers.pop("power") == 2 else "magnitude", **numbers}

    @property
    def part_cost(self) -> float:
        return self.n_bins + 500.0  # as long as an STFT of 500 bins more

    @classmethod
    def remark(cls, norms: str) -> str | None:
        if norms == "sqrt_length":
            return "Constant-Q in our normalisation: scaled by the square root of each kernel's length."
        return f"Constant-Q normalised by {norms}."

    def check_trainable(self, trainable: bool | str) -> None:
        super().check_trainable(trainable)
        if trainable and self.algorithm not in ("exact", "1992v2"):
            raise ValueError(
                f"frontend.trainable {trainable}: {self.name} with algorithm {self.algorithm} has no time-domain "
                "kernel for each bin; choose representation.algorithm=exact or 1992v2"
            )

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"max_samples": samples}
