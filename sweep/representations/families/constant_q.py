"""Constant-Q and variable-Q magnitude."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sweep import filters
from sweep.fields import choice, number, positive, whole
from sweep.registry import families
from sweep.representations.representation import Representation


@families.register("cqt")
@dataclass(frozen=True, kw_only=True)
class ConstantQ(Representation):
    """Constant-Q magnitude."""

    TRANSFORM = "CQT"
    ORDER, COLOUR, MARKER = 3.0, "#D55E00", "D"
    TRAINED_COST = 13.0  # H100, experiments/trainable_kernels
    WORD: ClassVar[str] = "Constant-Q"

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
    filter_scale: float = positive(default=1.0, later=True)
    """Factor of the kernels' lengths."""
    basis_norm: int | str = choice(*filters.CONSTANT_Q_BASIS_NORMS, default=1, later=True)
    """What a kernel's window is divided by: the sum of its values, the root of that of their squares, or others."""

    def __post_init__(self):
        object.__setattr__(self, "algorithm", str(self.algorithm))  # YAML reads 1992 as a number
        super().__post_init__()

    @property
    def widening(self) -> float | str:
        """What the bandwidths exceed those of a constant-Q transform by, in Hz, or "erb"."""
        return 0.0

    def measure(self) -> dict[str, Any]:
        frequencies = filters.constant_q_frequencies(self.n_bins, self.bins_per_octave, self.f_min, self.sample_rate)
        shape = filters.ConstantQ(
            window=filters.as_window(self.window),
            bins_per_octave=self.bins_per_octave,
            bandwidth=self.bandwidth,
            gamma=self.widening,
            filter_scale=self.filter_scale,
            basis_norm=self.basis_norm,
        )
        return {"frequencies": frequencies, "context": int(shape.kernels(frequencies, self.sample_rate).lengths.max())}

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
            return f"{cls.WORD} in our normalisation: scaled by the square root of each kernel's length."
        return f"{cls.WORD} normalised by {norms}."

    def check_trainable(self, trainable: bool | str) -> None:
        super().check_trainable(trainable)
        if trainable and self.algorithm not in ("exact", "1992v2"):
            raise ValueError(
                f"frontend.trainable {trainable}: {self.name} with algorithm {self.algorithm} has no time-domain "
                "kernel for each bin; choose representation.algorithm=exact or 1992v2"
            )

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"max_samples": samples}


@families.register("vqt")
@dataclass(frozen=True, kw_only=True)
class VariableQ(ConstantQ):
    """Variable-Q magnitude."""

    TRANSFORM = "VQT"
    ORDER, COLOUR, MARKER = 3.5, "#332288", "<"
    WORD = "Variable-Q"

    gamma: float | str = number(0, also=("erb",))
    """What each bandwidth exceeds that of a constant-Q bin by, in Hz; `erb`: in proportion to the ear's filters."""

    @property
    def widening(self) -> float | str:
        return self.gamma
