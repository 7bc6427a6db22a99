"""The base class of representations: a name, a family and the numbers of a front-end, checked without torch."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sweep import filters
from sweep.checks import shown
from sweep.clock import at_rate
from sweep.fields import Group, choice, keys_of, text, whole
from sweep.registry import families

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform

_RATES = (1_000, 384_000)  # Hz; below, the resampler may crash; above, audio would fill memory with nothing heard
_MOST = 2**24  # bins or samples of a row; more is a slip of the keyboard, and tables of it fill the memory


@dataclass(frozen=True, kw_only=True)
class Representation(Group):
    """One row of the table; each family is a subclass, registered under its value of the key `family`.

    Attributes:
        frequencies: centre of each bin in Hz, (n_bins,) float64.
        context: samples that the longest kernel covers.
        empty_filters: number of bins whose filter is 0, so that the model's input there is constant.
        TRANSFORM: name of the front-end's class in `sweep.transforms`.
        ORDER: position of the family's rows in a table, from 0.
        COLOUR, MARKER: colour and marker of the family in plots; Okabe and Ito's colours, safe for the colour-blind.
        TRAINED_PARTS: values of `frontend.trainable` that the family allows besides true and false.
        TRAINED_COST: factor by which a trained front-end makes a step longer.
    """

    TRANSFORM: ClassVar[str]
    ORDER: ClassVar[float]
    COLOUR: ClassVar[str]
    MARKER: ClassVar[str]
    TRAINED_PARTS: ClassVar[tuple[str, ...]] = ()
    TRAINED_COST: ClassVar[float] = 4.0  # 2.4 to 7 times (H100, experiments/trainable_kernels)

    name: str = text()
    """The file's and the row's name."""
    family: str = text()
    """Kind of spectrogram."""
    sample_rate: int = whole()
    """Sample rate in Hz, to which the recordings are resampled, 1,000 to 384,000."""
    hop_length: int = whole()
    """Samples between frames."""
    window: str = choice(*filters.WINDOWS)
    """Window function, periodic."""
    f_min: float
    pad_mode: str = choice(*filters.PAD_MODES)
    """Padding beyond the ends of a clip: zeros, or its mirror image."""

    n_bins: int = dataclasses.field(init=False)
    frequencies: np.ndarray = dataclasses.field(init=False, repr=False, compare=False)
    context: int = dataclasses.field(init=False, repr=False, compare=False)
    empty_filters: int = dataclasses.field(init=False, repr=False, compare=False, default=0)

    @property
    def place(self) -> str:
        return _place(self.name)

    def check(self) -> None:
        for field in keys_of(type(self)):
            value = getattr(self, field.name)
            if isinstance(value, int) and value > _MOST:
                raise ValueError(f"{self.place}{field.name} {shown(value)}: needs a number of at most {_MOST:,}")
        if not _RATES[0] <= self.sample_rate <= _RATES[1]:
            words = f"needs a whole number from {_RATES[0]:,} to {_RATES[1]:,}"
            raise ValueError(f"{self.place}sample_rate {shown(self.sample_rate)}: {words}")
        try:
            measured = self.measure()
        except (ValueError, ArithmeticError, MemoryError) as error:
            raise ValueError(f"{self.place}{error}") from None
        for key, value in measured.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "n_bins", len(self.frequencies))

    def measure(self) -> dict[str, Any]:
        """Compute the attributes that follow from the numbers: frequencies, context and, for Mel rows, empty_filters.

        Raises:
            ValueError: numbers contradict each other; names the key, the value and the remedy.
        """
        raise NotImplementedError

    @property
    def cost(self) -> float:
        """Estimate how long a training step takes, relative to other rows."""
        return float(self.n_bins)

    @classmethod
    def remark(cls, norms: str) -> str | None:
        """Return a table's footnote on the family's rows, whose key `norm` has these values; None: no footnote."""
        return None

    def check_trainable(self, trainable: bool | str) -> None:
        """Check that the row's front-end can be trained as `frontend.trainable` says.

        Raises:
            ValueError: names the row, the value and the remedy.
        """
        if isinstance(trainable, str) and trainable not in self.TRAINED_PARTS:
            raise ValueError(
                f"frontend.trainable {trainable}: {self.name} has no mel bank beside its kernels; choose true"
            )

    def samples(self, window: int) -> int:
        """Return the row's number of samples for a window of so many in the reference clock, 44,100 Hz."""
        return at_rate(window, self.sample_rate)

    def n_frames(self, samples: int) -> int:
        """Return the number of frames of a clip of so many samples."""
        return 1 + samples // self.hop_length

    def transform(self, samples: int | None = None, **options: Any) -> "Transform":
        """Build the front-end, a `sweep.transforms` module.

        Args:
            samples: length of the clips, if it is known; a trainable front-end then needs less memory.
            options: the front-end's arguments trainable, engine and accuracy.
        """
        from sweep import transforms

        names = (field.name for field in keys_of(type(self)) if field.name not in ("name", "family"))
        numbers = {name: getattr(self, name) for name in names}
        if options.get("trainable"):
            options |= self.training_options(samples)
        return getattr(transforms, self.TRANSFORM)(**numbers, **options)

    def training_options(self, samples: int | None) -> dict[str, Any]:
        """Return further arguments of a front-end that is trained on clips of so many samples."""
        return {}


def from_tree(tree: Mapping[str, Any]) -> Representation:
    """Build a representation from its file's keys and its name.

    Raises:
        ValueError: an unknown or missing key or family, or a number out of its range; names the file, the key, the
            value and the remedy.
    """
    place = _place(tree["name"])
    try:
        family = families[tree.get("family")]
    except ValueError as error:
        raise ValueError(f"{place}{error}") from None
    return family.from_tree(tree, place)


def _place(name: str) -> str:
    return f"conf/representation/{name}.yaml: "
