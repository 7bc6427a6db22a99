"""The base class of representations: a name, a family, its numbers and its steps, checked without torch."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from sweep import filters
from sweep.checks import check_choice, shown
from sweep.fields import Group, checked, choice, group, keys_of, text, values, whole
from sweep.registry import compressions, families, levels, normalisations, stacks
from sweep.representations import framing
from sweep.representations.clock import SAMPLE_RATE, at_rate
from sweep.representations.compressions import Compression
from sweep.representations.levels import Level
from sweep.representations.normalisations import Normalisation
from sweep.representations.parts import check_padding, joined, members_of
from sweep.representations.stacks import Stack

if TYPE_CHECKING:
    import torch

    from sweep.representations.front_end import FrontEnd
    from sweep.transforms.transform import Transform

_RATES = (1_000, 384_000)  # Hz; below, the resampler may crash; above, audio would fill memory with nothing heard
_MOST = 2**24  # bins or samples of a row; more is a slip of the keyboard, and tables of it fill the memory
STEPS = {"level": levels, "compression": compressions, "normalisation": normalisations, "stack": stacks}
_NO_ARGUMENTS = {"name", "family", *STEPS, "framing", "parts", "join"}  # keys that no transform takes


def _check_window(key: str, value: Any) -> None:
    try:
        filters.window(value, 32)
    except ValueError as error:
        raise ValueError(f"{key}{str(error).removeprefix('window')}") from None


@dataclass(frozen=True, kw_only=True)
class Representation(Group):
    """One row of the table; each family is a subclass, registered under its value of the key `family`.

    A row is a short pipeline: the level of a clip, a transform, the compression of its values, their normalisation
    within the clip, and a stack of further channels. It may have several transforms, its parts.

    Attributes:
        frequencies: frequency of each bin of the features in Hz, (bins,) float64; of parts that are channels, the
            row's own.
        context: samples that the longest kernel covers.
        empty_filters: number of filters of all parts that are 0, so that the model's input there is constant.
        members: a row for each part, without steps of its own; the row itself if it has no parts.
        n_channels, bins: channels of the features, and bins of each.
        part_bins: bins that lie beside each other before the stack, of each part that they come from.
        TRANSFORM: name of the front-end's class in `sweep.transforms`.
        CHANNELS: channels of the transform's output.
        ORDER: position of the family's rows in a table, from 0.
        COLOUR, MARKER: colour and marker of the family in plots; Okabe and Ito's colours, safe for the colour-blind.
        TRAINED_PARTS: values of `frontend.trainable` that the family allows besides true and false.
        TRAINED_COST: factor by which a trained front-end makes a step longer.
        ROWS: rows of a family from outside the package, beside that of its own name, with the keys that each sets.
    """

    TRANSFORM: ClassVar[str]
    CHANNELS: ClassVar[int] = 1
    ORDER: ClassVar[float] = 9
    COLOUR: ClassVar[str] = "#555555"
    MARKER: ClassVar[str] = "P"
    TRAINED_PARTS: ClassVar[tuple[str, ...]] = ()
    TRAINED_COST: ClassVar[float] = 4.0  # 2.4 to 7 times (H100, experiments/trainable_kernels)
    ROWS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    name: str = text()
    """The file's and the row's name."""
    family: str = text()
    """Kind of spectrogram."""
    sample_rate: int = whole()
    """Sample rate in Hz, to which the recordings are resampled, 1,000 to 384,000."""
    hop_length: int = whole()
    """Samples between frames."""
    window: str | list[Any] = checked(_check_window, "name, or list of a name and numbers")
    """Window function: hann, hamming, blackman, boxcar, or one of scipy.signal.get_window, as [kaiser, 14.0]."""
    pad_mode: str = choice(*filters.PAD_MODES)
    """Padding beyond the ends of a clip: zeros, or its mirror image; zeros where a clip is too short to reflect."""
    framing: str = choice(*framing.FRAMINGS)
    """Where the frames lie in a clip."""
    level: Level = group(levels)
    compression: Compression = group(compressions)
    normalisation: Normalisation = group(normalisations)
    stack: Stack = group(stacks)
    parts: list[dict[str, Any]] | None = values(list, "a list of keys with values for each part", also=(None,))
    """Several transforms: the keys in which each differs from the row; null for one transform."""
    join: str = choice("channels", "bins")
    """Whether parts are channels, or lie beside each other along the bins."""

    n_bins: int = dataclasses.field(init=False)
    frequencies: np.ndarray = dataclasses.field(init=False, repr=False, compare=False)
    context: int = dataclasses.field(init=False, repr=False, compare=False)
    empty_filters: int = dataclasses.field(init=False, repr=False, compare=False, default=0)
    members: tuple["Representation", ...] = dataclasses.field(init=False, repr=False, compare=False)
    n_channels: int = dataclasses.field(init=False, repr=False, compare=False)
    bins: int = dataclasses.field(init=False, repr=False, compare=False)
    part_bins: tuple[int, ...] = dataclasses.field(init=False, repr=False, compare=False)

    @property
    def as_published(self) -> bool:
        """Whether the features are of the kind that the paper's learning rate is for."""
        plain = (self.normalisation.name, self.stack.name, self.level.name) == ("none", "none", "window")
        return plain and self.compression.fused_offset is not None

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], place: str | None = None) -> Self:
        tree = dict(tree)
        for key, known in STEPS.items():
            if key not in tree or isinstance(tree[key], Group):
                continue
            try:
                if not isinstance(tree[key], Mapping):
                    example = f"{{name: {known.names()[0]}}}"
                    raise ValueError(f"{key} {shown(tree[key])}: needs a name and keys, such as {example}")
                check_choice(f"{key}.name", tree[key].get("name"), known)
                tree[key] = known[tree[key]["name"]].from_tree(tree[key], f"{key}.")
            except ValueError as error:
                raise ValueError(f"{place or ''}{error}") from None
        return super().from_tree(tree, place)

    @property
    def place(self) -> str:
        return _place(self.name, type(self))

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
            frequencies = measured.pop("frequencies")
            self._set(n_bins=len(frequencies), frequencies=frequencies, **measured)
            self._set(members=members_of(self))
            self._set(**joined(self, self.members))
            check_padding(self)
        except (ValueError, ArithmeticError, MemoryError) as error:
            said = str(error)
            raise ValueError(said if said.startswith(self.place) else f"{self.place}{said}") from None

    def _set(self, **attributes: Any) -> None:
        for key, value in attributes.items():
            object.__setattr__(self, key, value)

    def measure(self) -> dict[str, Any]:
        """Compute what follows from the numbers: frequencies, context and, for rows with a bank, empty_filters.

        Raises:
            ValueError: numbers contradict each other; names the key, the value and the remedy.
        """
        raise NotImplementedError

    @property
    def cost(self) -> float:
        """Estimate how long a training step takes, relative to other rows."""
        return sum(member.part_cost for member in self.members)

    @property
    def part_cost(self) -> float:
        """The cost of one transform."""
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
        if trainable and (self.members[0] is not self or self.CHANNELS > 1):
            has = "no kernels to train" if self.members[0] is self else "several transforms"
            raise ValueError(f"frontend.trainable {trainable}: {self.name} has {has}; choose false")
        if isinstance(trainable, str) and trainable not in self.TRAINED_PARTS:
            has = "no mel bank beside its kernels"
            raise ValueError(f"frontend.trainable {trainable}: {self.name} has {has}; choose true")

    def samples(self, window: int) -> int:
        """Return the row's number of samples for a window of so many in the reference clock, 44,100 Hz."""
        return at_rate(window, self.sample_rate)

    def n_frames(self, samples: int) -> int:
        """Return the number of frames of a clip of so many samples."""
        return framing.placed(self.framing, samples, self.hop_length, self.context).count

    def times(self, samples: int) -> np.ndarray:
        """Return the centres of the frames of a clip of so many samples, in seconds: (frames,) float64."""
        return framing.times(self.framing, samples, self.hop_length, self.context, self.sample_rate)

    @property
    def reach(self) -> int:
        """Samples beyond a clip's end that frames reach into, at most."""
        return self.context // 2

    def reflects(self, samples: int) -> bool:
        """Return whether a clip of so many samples is long enough for reflect padding."""
        return self.pad_mode == "reflect" and samples > self.reach

    def front_end(self, samples: int | None = None, **options: Any) -> "FrontEnd":
        """Build the module from clips, (batch, samples), to features, (batch, channels, bins, frames).

        Args:
            samples: length of the clips, if it is known.
            options: the front-end's arguments trainable, engine and accuracy.
        """
        from sweep.representations.front_end import FrontEnd

        return FrontEnd(self, samples, **options)

    def features(self, waveform: "torch.Tensor", accuracy: str = "high") -> "torch.Tensor":
        """Compute the features of waveforms: (..., samples) -> (..., [channels,] bins, frames).

        Args:
            waveform: clips at the row's sample rate, full scale 1; on the CPU or a GPU.
            accuracy: accuracy of the transforms, "exact", "high" or "fast".
        """
        from sweep.representations.front_end import checked_waveform

        waveform = checked_waveform(waveform)
        samples = waveform.shape[-1]
        y = self.front_end(samples, accuracy=accuracy)(waveform.reshape(-1, samples))
        y = y.reshape(*waveform.shape[:-1], *y.shape[1:])
        return y if self.n_channels > 1 else y.squeeze(-3)

    def transform(self, samples: int | None = None, **options: Any) -> "Transform":
        """Build the transform alone of a row without parts: no level, framing or compression, so `times` is not its.

        Args:
            samples: length of the clips, if it is known; a trainable front-end then needs less memory, and clips that
                are too short to reflect are padded with zeros.
            options: the front-end's arguments trainable, engine and accuracy.

        Raises:
            ValueError: the row has several transforms.
        """
        from sweep import transforms

        if self.members[0] is not self:
            raise ValueError(f"{self.name} has {len(self.members)} transforms; choose front_end(), or one of .members")
        numbers = self.arguments()
        if samples is not None and self.pad_mode == "reflect" and not self.reflects(samples):
            numbers["pad_mode"] = "constant"
        if options.get("trainable"):
            numbers |= self.training_options(samples)
        return getattr(transforms, self.TRANSFORM)(**numbers | options)

    def arguments(self) -> dict[str, Any]:
        """Return the keys that the transform takes as arguments."""
        names = (field.name for field in keys_of(type(self)) if field.name not in _NO_ARGUMENTS)
        return {name: getattr(self, name) for name in names}

    def remarks(self, samples: int) -> list[str]:
        """Return what a table says of the row, for windows of so many samples at the row's sample rate."""
        said = [f"Level: each window {self.level.WORDS}"]
        if self.sample_rate != SAMPLE_RATE:
            said.append(f"Sample rate: {self.sample_rate:,} Hz")
        if self.n_channels > 1:
            said.append("Bins: those of all channels")
        if self.pad_mode == "reflect" and not all(member.reflects(samples) for member in self.members):
            said.append("Padded with zeros, since a window is too short to reflect")
        if self.compression.per_clip or self.normalisation.per_clip:
            said.append("Extremes are those of the window that the model sees, where the system takes a longer clip")
        return said

    def training_options(self, samples: int | None) -> dict[str, Any]:
        """Return further arguments of a front-end that is trained on clips of so many samples."""
        return {}


def from_tree(tree: Mapping[str, Any]) -> Representation:
    """Build a representation from its file's keys and its name.

    Raises:
        ValueError: an unknown or missing key or family, or a number out of its range; names the file, the key, the
            value and the remedy.
    """
    try:
        family = families[tree.get("family")]
    except ValueError as error:
        raise ValueError(f"{_place(tree['name'])}{error}") from None
    return family.from_tree(tree, _place(tree["name"], family))


def _place(name: str, family: type = Representation) -> str:
    """Return where the keys of a row stand: in its file, or in the class of a family from outside the package."""
    own = family.__module__.startswith("sweep.")
    return f"conf/representation/{name}.yaml: " if own else f"row {name}: "
