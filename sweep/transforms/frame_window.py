"""The window of a front-end's frames, in the forms in which its engines take it."""

from dataclasses import dataclass, field

import numpy as np
import torch

from sweep import filters
from sweep.filters.windows import Window, check_win_length, window_scale


@dataclass(frozen=True)
class FrameWindow:
    """A window as a front-end's arguments describe it; `filters.frame_window` says what they mean.

    Attributes:
        scale: factor of the window that `normalized` asks for.

    Raises:
        ValueError: there is no such window, or a number is out of its range.
    """

    name: Window
    n_fft: int
    win_length: int | None = None
    symmetric: bool = False
    normalized: bool | str = False
    scale: float = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "name", filters.as_window(self.name))
        object.__setattr__(self, "win_length", check_win_length(self.n_fft, self.win_length))
        object.__setattr__(self, "n_fft", int(self.n_fft))
        taps = filters.window(self.name, self.win_length, symmetric=self.symmetric)
        object.__setattr__(self, "scale", window_scale(taps, self.n_fft, self.normalized))

    @property
    def any_rate(self) -> bool:
        """Whether it can be sampled at a lower rate: a window of fewer samples is the same one there."""
        return filters.has_formula(self.name) and not self.symmetric

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths in samples that have to be whole at a lower rate too, that of a frame first."""
        return self.n_fft, self.n_fft // 2, self.win_length, (self.n_fft - self.win_length) // 2

    def taps(self, n_fft: int | None = None) -> np.ndarray:
        """Return what a frame is multiplied by, (n_fft,) float64; of n_fft samples at a lower rate if that is given."""
        n_fft = n_fft or self.n_fft
        win_length = self.win_length * n_fft // self.n_fft
        return filters.frame_window(self.name, n_fft, win_length, self.symmetric) * self.scale

    def on(self, like: torch.Tensor, n_fft: int | None = None) -> torch.Tensor:
        """Return `taps` on a tensor's device, in its type."""
        return torch.from_numpy(self.taps(n_fft)).to(like.device, like.dtype)

    def kernels(self, frequencies: np.ndarray, sample_rate: float) -> filters.Kernels:
        """Return the bank of windowed Fourier kernels at some frequencies, in Hz."""
        options = self.win_length, self.symmetric, self.normalized
        return filters.fourier_kernels(self.name, self.n_fft, frequencies, sample_rate, *options)
