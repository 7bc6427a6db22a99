"""A representation is data: one YAML file under conf/representation, one row of the table.

Built from the file's numbers and validated at once, without torch; `transform` makes the front-end that computes it.
"""

import dataclasses
import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sweep import filters
from sweep.checks import check_choice, check_positive, check_whole

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform

__all__ = ["FAMILIES", "ConstantQ", "Fourier", "Mel", "Representation", "from_settings"]


@dataclass(frozen=True, kw_only=True)
class Representation:
    """What every family has: a name, a family, and the numbers of its front-end.

    Attributes:
        name: of the file and of the row.
        family: "linear", "log", "mel" or "cqt".
        sample_rate: in Hz.
        hop_length: samples between frames.
        window: one of `sweep.filters.WINDOWS`.
        f_min: in Hz.
        pad_mode: "constant" or "reflect".
        n_bins: bins of the spectrogram.
        frequencies: (n_bins,) float64, centre of each bin in Hz.
        context: samples that the longest kernel covers.
        empty_filters: bins that hold nothing, so that their input is constant.
    """

    TRANSFORM: ClassVar[str]  # in sweep.transforms
    name: str
    family: str
    sample_rate: float
    hop_length: int
    window: str
    f_min: float
    pad_mode: str
    n_bins: int = dataclasses.field(init=False)
    frequencies: np.ndarray = dataclasses.field(init=False, repr=False, compare=False)
    context: int = dataclasses.field(init=False, repr=False, compare=False)
    empty_filters: int = dataclasses.field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self):
        try:
            check_whole("hop_length", self.hop_length)
            check_choice("window", self.window, filters.WINDOWS)
            check_choice("pad_mode", self.pad_mode, filters.PAD_MODES)
            measured = self._measure()
        except ValueError as error:
            raise ValueError(f"{_file(self.name)}: {error}") from None
        for key, value in measured.items():
            object.__setattr__(self, key, value)
        object.__setattr__(self, "n_bins", len(self.frequencies))

    def _measure(self) -> dict:
        """The family's own checks, and the attributes that follow from its numbers."""
        raise NotImplementedError

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

        numbers = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.init}
        del numbers["name"], numbers["family"]
        if options.get("trainable") and self.family == "cqt":
            numbers["max_samples"] = samples
        if options.get("trainable") and self.family == "mel":
            numbers["nonnegative"] = True  # a logarithm follows
        return getattr(transforms, self.TRANSFORM)(**numbers, **options)


@dataclass(frozen=True, kw_only=True)
class Fourier(Representation):
    """STFT magnitude at linearly or logarithmically spaced frequencies."""

    TRANSFORM = "STFT"
    n_fft: int
    scale: str
    n_bins: int | None
    f_max: float

    def _measure(self) -> dict:
        numbers = (self.sample_rate, self.n_fft, self.scale, self.n_bins, self.f_min, self.f_max)
        return {"frequencies": filters.stft_frequencies(*numbers), "context": self.n_fft}


@dataclass(frozen=True, kw_only=True)
class Mel(Representation):
    """Power spectrum summed over mel bands."""

    TRANSFORM = "MelSpectrogram"
    n_fft: int
    n_mels: int
    f_max: float | None
    mel_scale: str
    norm: str | None
    power: float

    def _measure(self) -> dict:
        check_positive("power", self.power)
        numbers = (self.sample_rate, self.n_fft, self.n_mels, self.f_min, self.f_max, self.mel_scale, self.norm)
        bank = filters.mel_bank(*numbers)
        corners = filters.mel_frequencies(self.n_mels, self.f_min, self.f_max or self.sample_rate / 2, self.mel_scale)
        empty = int((bank.sum(axis=1) == 0).sum())
        return {"frequencies": corners[1:-1], "context": self.n_fft, "empty_filters": empty}


@dataclass(frozen=True, kw_only=True)
class ConstantQ(Representation):
    """Constant-Q magnitude."""

    TRANSFORM = "CQT"
    n_bins: int
    bins_per_octave: int
    norm: str
    algorithm: str

    def _measure(self) -> dict:
        algorithm = str(self.algorithm)  # YAML reads 1992 as a number
        check_choice("algorithm", algorithm, filters.CONSTANT_Q_ALGORITHMS)
        frequencies = filters.constant_q_frequencies(self.n_bins, self.bins_per_octave, self.f_min, self.sample_rate)
        kernels = filters.constant_q_kernels(
            self.window, frequencies, self.bins_per_octave, self.sample_rate, self.norm
        )
        return {"frequencies": frequencies, "context": int(kernels.lengths.max()), "algorithm": algorithm}


FAMILIES = {"linear": Fourier, "log": Fourier, "mel": Mel, "cqt": ConstantQ}


def from_settings(settings: dict) -> Representation:
    """Build a representation from its file's keys and its name.

    Raises:
        ValueError: an unknown or missing key or family, or a number out of its range; names the file, the key, the
            value and the remedy.
    """
    file = _file(settings["name"])
    family = settings.get("family")
    if family not in tuple(FAMILIES):
        raise ValueError(f"{file}: family {family!r}: choose one of {', '.join(FAMILIES)}")
    keys = [field.name for field in dataclasses.fields(FAMILIES[family]) if field.init]
    for key in settings:
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"family {family} has {', '.join(keys[2:])}"
            raise ValueError(f"{file}: unknown key {key} ({settings[key]}); {remedy}")
    for key in keys:
        if key not in settings or settings[key] == "???":
            raise ValueError(f"{file}: key {key} is missing; give it a value")
    return FAMILIES[family](**settings)


def _file(name: str) -> str:
    return f"conf/representation/{name}.yaml"
