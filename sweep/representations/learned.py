"""The keys of rows whose filters follow from a few learned values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.fields import number, odd, whole
from sweep.representations.representation import Representation

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform


@dataclass(frozen=True, kw_only=True)
class Learned(Representation):
    """A row whose filters are applied at every sample, by a formula with values that can be trained."""

    n_filters: int = whole()
    """Number of filters."""
    filter_length: int = odd()
    """Taps of a filter."""
    pool_length: int = odd()
    """Samples that a frame is pooled from."""
    f_min: float = number(0)
    """Lowest frequency that the filters begin at in Hz."""

    def measured(self, centres: Any) -> dict[str, Any]:
        """Return what `measure` does, given the filters' initial centres in Hz."""
        for key, value in (("pad_mode", "constant"), ("window", "hann")):
            if getattr(self, key) != value:
                raise ValueError(f"{key} {getattr(self, key)}: the family has no choice of it; choose {value}")
        return {"frequencies": centres, "context": self.filter_length + self.pool_length - 1}

    @property
    def part_cost(self) -> float:
        return 40.0 * self.n_filters  # every sample is filtered, and not only the frames

    def transform(self, samples: int | None = None, **options: Any) -> "Transform":
        return super().transform(samples, trainable=options.get("trainable", False))  # as exact as the FFT

    def arguments(self) -> dict[str, Any]:
        return {name: value for name, value in super().arguments().items() if name not in ("pad_mode", "window")}
