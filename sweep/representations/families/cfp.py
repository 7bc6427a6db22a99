"""Combined frequency and periodicity."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep import filters
from sweep.checks import check_positive
from sweep.fields import choice, even, positive, values, whole
from sweep.registry import families
from sweep.representations import framing
from sweep.representations.representation import Representation

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform


@families.register("cfp")
@dataclass(frozen=True, kw_only=True)
class CFP(Representation):
    """Spectrum, generalised cepstrum and cepstrum of that, on one logarithmic axis."""

    TRANSFORM = "CFP"
    CHANNELS = 4
    ORDER, COLOUR, MARKER = 4, "#56B4E9", "X"

    n_fft: int = even()
    """Length of the FFT, which sets the resolution in Hz."""
    win_length: int = whole()
    """Length of the window in samples."""
    f_min: float = positive()
    """Lowest row in Hz."""
    f_max: float = positive()
    """Open end of the rows in Hz."""
    bins_per_octave: int = whole()
    """Rows per octave."""
    powers: list[float] = values(list, "a list of three numbers, of the spectrum, the cepstrum and the GCoS")
    """Exponents of the three."""
    norm: str = choice(*filters.CFP_NORMS)
    """Norm that a frame is divided by at the clip's ends: of the part of the window in use, or of all of it."""
    spectrum: str = choice(*filters.CFP_SPECTRA)
    """What the spectrum's channel shows: the compressed one, or its magnitude."""

    def measure(self) -> dict[str, Any]:
        if self.pad_mode != "constant":
            raise ValueError(f"pad_mode {self.pad_mode}: frames begin before the clip, in zeros; choose constant")
        if self.norm == "window_in_use" and framing.FRAMINGS[self.framing].pads:
            raise ValueError(f"framing {self.framing}: zeros would count as the clip; choose centred, or norm=window")
        filters.cfp_window(str(self.window), self.win_length)
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} > n_fft {self.n_fft}; choose a shorter one")
        if len(self.powers) != 3:
            raise ValueError(f"powers {self.powers}: needs three, of the spectrum, the cepstrum and the GCoS")
        for power in self.powers:
            check_positive("powers", power)
        banks = filters.cfp_banks(self.sample_rate, self.n_fft, self.f_min, self.f_max, self.bins_per_octave)
        frequencies = filters.cfp_frequencies(self.f_min, self.f_max, self.bins_per_octave)[:-1]
        empty = int((banks[0].sum(1) == 0).sum())
        return {"frequencies": frequencies, "context": self.win_length, "empty_filters": empty}

    def transform(self, samples: int | None = None, **options: Any) -> "Transform":
        return super().transform(samples)  # it has one engine, as exact as the FFT, and nothing to train

    def arguments(self) -> dict[str, Any]:
        return {name: value for name, value in super().arguments().items() if name != "pad_mode"}
