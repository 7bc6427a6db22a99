"""What every representation has: a name, a family, and the numbers of its front-end, checked without torch."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sweep import filters
from sweep.fields import Group, choice, keys_of, positive, text, whole
from sweep.registry import families

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform


@dataclass(frozen=True, kw_only=True)
class Representation(Group):
    """One row of the table; a family is a subclass, registered under the name that the key `family` gives.

    Attributes:
        frequencies: (n_bins,) float64, centre of each bin in Hz.
        context: samples that the longest kernel covers.
        empty_filters: bins that hold nothing, so that their input is constant.
        TRANSFORM: the front-end's class in `sweep.transforms`.
        ORDER: where the family's rows stand in a table, from 0.
        COLOUR, MARKER: of the family in pictures; Okabe and Ito's colours, which the colour-blind tell apart.
        TRAINED_PARTS: values of `frontend.trainable` that the family knows beside true and false.
        TRAINED_COST: times that a step takes longer with a trained front-end.
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
    """What kind of spectrogram it is."""
    sample_rate: float = positive()
    """Sample rate in Hz."""
    hop_length: int = whole()
    """Samples between frames."""
    window: str = choice(*filters.WINDOWS)
    """Window function, periodic."""
    f_min: float
    pad_mode: str = choice(*filters.PAD_MODES)
    """What lies beyond the ends of a clip: zeros, or its mirror image."""

    n_bins: int = dataclasses.field(init=False)
    frequencies: np.ndarray = dataclasses.field(init=False, repr=False, compare=False)
    context: int = dataclasses.field(init=False, repr=False, compare=False)
    empty_filters: int = dataclasses.field(init=False, repr=False, compare=False, default=0)

    @property
    def place(self) -> str:
        return _place(self.name)

    def check(self) -> None:
        try:
            measured = self.measure()
        except ValueError as error:
            raise ValueError(f"{self.place}{error}") from None
        for key, value in measured.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "n_bins", len(self.frequencies))

    def measure(self) -> dict[str, Any]:
        """The attributes that follow from the numbers: frequencies, context and, if there may be some, empty_filters.

        Raises:
            ValueError: numbers that do not go together; names the key, the value and the remedy.
        """
        raise NotImplementedError

    @property
    def cost(self) -> float:
        """How long a training step takes, compared with other rows."""
        return float(self.n_bins)

    @classmethod
    def remark(cls, norms: str) -> str | None:
        """What a reader of a table must know of the family's rows, whose key `norm` has these values; None: nothing."""
        return None

    def check_trainable(self, trainable: bool | str) -> None:
        """Check that this front-end can be trained as `frontend.trainable` says.

        Raises:
            ValueError: names the row, the value and the remedy.
        """
        if isinstance(trainable, str) and trainable not in self.TRAINED_PARTS:
            raise ValueError(
                f"frontend.trainable {trainable}: {self.name} has no mel bank beside its kernels; choose true"
            )

    def n_frames(self, samples: int) -> int:
        """Frames of a clip of so many samples."""
        return 1 + samples // self.hop_length

    def transform(self, samples: int | None = None, **options: Any) -> "Transform":
        """The front-end, a `sweep.transforms` module.

        Args:
            samples: of the clips, where they are known and it is trainable.
            options: its trainable, engine and accuracy.
        """
        from sweep import transforms

        names = (field.name for field in keys_of(type(self)) if field.name not in ("name", "family"))
        numbers = {name: getattr(self, name) for name in names}
        if options.get("trainable"):
            options |= self.training_options(samples)
        return getattr(transforms, self.TRANSFORM)(**numbers, **options)

    def training_options(self, samples: int | None) -> dict[str, Any]:
        """What the front-end is told besides, if it is trained on clips of so many samples."""
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
