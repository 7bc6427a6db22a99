"""The keys of rows whose frames are windowed and go through an FFT."""

from dataclasses import dataclass

from sweep import filters
from sweep.fields import choice, even, whole
from sweep.representations.representation import Representation


@dataclass(frozen=True, kw_only=True)
class Windowed(Representation):
    """A row whose frames are windowed and go through an FFT."""

    n_fft: int = even()
    """Length of a frame in samples."""
    win_length: int | None = whole(also=(None,), default=None)
    """Length of the window in samples, centred in n_fft; null is n_fft."""
    symmetric: bool = choice(False, True, default=False)
    """Whether the window is symmetric instead of periodic."""
    normalized: str = choice("none", "window", "frame_length", default="none")
    """Number that the magnitude is divided by: the root of the sum of the window's squares, or of n_fft."""

    def check(self) -> None:
        try:
            filters.frame_window(
                filters.as_window(self.window), self.n_fft, self.win_length, self.symmetric, self.normalized
            )
        except ValueError as error:
            raise ValueError(f"{self.place}{error}") from None
        super().check()
