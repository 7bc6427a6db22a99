"""The way back from the spectra or the magnitudes of windowed frames to the waveform."""

from dataclasses import replace

import numpy as np
import torch

from sweep.checks import check_choice, check_share, check_whole
from sweep.engines.framing import frames, overlap_add, overlapped, pad
from sweep.engines.tables import Tables
from sweep.transforms.frame_window import FrameWindow
from sweep.transforms.transform import check_tensor

# The inverse magnifies rounding in a sample by one over the root of the squared windows' sum there, whose peak is 1 for
# a single window. At this bound it is 16 times float32's rounding, 1e-6 of a clip.
_LEAST_COVERED = {torch.float32: 4e-3, torch.float64: 1e-12}


class Synthesis:
    """Computes the waveform of frames on the FFT's grid, whose values have torch.stft's phase.

    Args:
        window: window of the frames.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "reflect" or "constant".
        center: whether frame t is centred on sample t hop_length; if not, it begins there.
    """

    def __init__(self, window: FrameWindow, hop_length: int, pad_mode: str, center: bool):
        self.window, self.hop_length, self.pad_mode = window, hop_length, pad_mode
        self.center, self.before = center, window.n_fft // 2 if center else 0
        self._tables = Tables()

    def waveform(self, spectrum: torch.Tensor, length: int | None) -> torch.Tensor:
        """Compute the waveforms whose spectra are nearest: (..., n_fft // 2 + 1, frames) -> (..., length).

        Args:
            spectrum: complex64 or complex128, one frame at least.
            length: samples to return; None: up to the centre of the last frame, or to the end of the last whole one.

        Raises:
            ValueError: the windows hardly cover a sample.
        """
        length = self.natural(spectrum.shape[-1]) if length is None else length
        check_whole("length", length, least=0)
        if length == 0 or spectrum.numel() == 0:
            return spectrum.real[..., 0, :1].expand(*spectrum.shape[:-2], length)
        y = spectrum.reshape(-1, *spectrum.shape[-2:]).transpose(1, 2)
        return self._overlapped(y, length).reshape(*spectrum.shape[:-2], length)

    def griffin_lim(
        self,
        magnitude: torch.Tensor,
        length: int | None,
        n_iter: int,
        momentum: float,
        rand_init: bool,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        """Compute waveforms of magnitudes, (..., n_fft // 2 + 1, frames) -> (..., length), as `STFT.griffin_lim` does.

        Each iteration takes the spectrum of the waveform so far, t, goes on beyond it by `momentum` times the last
        change, t + momentum (t - t'), and keeps the phases of that. A value of 0 has no phase and adds nothing.
        """
        check_whole("n_iter", n_iter)
        check_share("momentum", momentum)
        check_choice("rand_init", rand_init, (False, True))
        check_tensor("magnitude", magnitude)
        if magnitude.is_complex():
            raise ValueError(
                f"magnitude of type {magnitude.dtype}: needs real values; choose magnitude.abs(), or inverse"
            )
        grid = self.window.n_fft // 2 + 1
        if magnitude.ndim < 2 or magnitude.shape[-2] != grid or not magnitude.shape[-1]:
            raise ValueError(f"magnitude of shape {tuple(magnitude.shape)}: needs (..., {grid}, frames), one at least")
        check_magnitudes("magnitude", magnitude)
        values = magnitude if magnitude.dtype == torch.float64 else magnitude.float()
        with torch.autocast(values.device.type, enabled=False):
            if length == 0 or values.numel() == 0 or (length is None and not self.natural(values.shape[-1])):
                return self.waveform(torch.complex(values, values), length)
            flat = values.reshape(-1, *values.shape[-2:])
            with torch.no_grad():
                phases = self._phases(flat.detach(), length, n_iter, momentum, rand_init, generator)
            return self.waveform((flat * phases).reshape(values.shape), length)

    def natural(self, count: int) -> int:
        """Return the samples up to the centre of the last of so many frames; up to the end of the last whole one."""
        return self.hop_length * (count - 1) + (0 if self.center else self.window.n_fft)

    def _phases(
        self,
        magnitude: torch.Tensor,
        length: int | None,
        n_iter: int,
        momentum: float,
        rand_init: bool,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        """Estimate phases, (batch, bins, frames) complex of modulus 1 or 0."""
        count, target = magnitude.shape[-1], magnitude.transpose(1, 2).contiguous()
        # A clip of the length asked for if it has so many frames.
        own = self.natural(count)
        samples = length if length is not None and own <= length < own + self.hop_length else own
        options = {"device": target.device, "dtype": target.dtype}
        turns = torch.rand(magnitude.shape, generator=generator, **options).transpose(1, 2) if rand_init else None
        phases = (
            torch.ones_like(target) if turns is None else torch.polar(torch.ones_like(target), 2 * torch.pi * turns)
        )
        share, before = momentum / (1 + momentum), torch.zeros_like(phases)
        for _ in range(n_iter):
            spectrum = self._spectrum(self._overlapped(target * phases, samples), count)
            phases = spectrum - share * before
            phases /= phases.abs().clamp_(min=torch.finfo(target.dtype).tiny)
            before = spectrum
        return phases.transpose(1, 2)

    def _spectrum(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Return the spectra of the frames of (batch, samples): (batch, count, n_fft // 2 + 1)."""
        window = self._tables.get(("window", x.device, x.dtype), lambda: self.window.on(x))
        x = pad(x, self.before, self.before, self.pad_mode) if self.center else x
        return torch.fft.rfft(frames(x, 0, self.window.n_fft, self.hop_length, count) * window)

    def _overlapped(self, y: torch.Tensor, length: int) -> torch.Tensor:
        """Return waveforms of spectra, (batch, frames, n_fft // 2 + 1) -> (batch, length)."""
        like, count = y.real, y.shape[1]
        plain = replace(self.window, normalized=False)
        key = (count, length, like.device, like.dtype)
        window = self._tables.get(key[2:], lambda: plain.on(like) / self.window.scale)
        share = self._tables.get(key, lambda: self._share(count, length, like))
        x = overlap_add(torch.fft.irfft(y, self.window.n_fft) * window, self.hop_length)
        return x[:, self.before : self.before + length] * share

    def _share(self, count: int, length: int, like: torch.Tensor) -> torch.Tensor:
        """Return one over the sum of the squared windows at each sample of the waveform, (length,).

        0 at the ends of whole frames, where windows are too low to tell the samples.
        """
        squared = replace(self.window, normalized=False).taps() ** 2
        covered = overlapped(squared, self.hop_length, count)[self.before :][:length]
        covered = np.pad(covered, (0, length - len(covered)))
        least = _LEAST_COVERED[like.dtype]
        if not self.center:
            heard = np.flatnonzero(covered >= least)
            if len(heard):
                covered[: heard[0]] = np.inf
                covered[heard[-1] + 1 : self.natural(count)] = np.inf
        lost = np.flatnonzero(covered < least)
        if len(lost):
            left = max(0.0, covered[lost[0]])
            remedies = ["a shorter hop_length"] + [f"a length of at most {lost[0]}"] * bool(lost[0])
            remedies += ["float64"] * bool(covered.min() >= _LEAST_COVERED[torch.float64])
            raise ValueError(
                f"window {self.window.name!r}, n_fft {self.window.n_fft}, hop_length {self.hop_length}: at sample "
                f"{lost[0]} the squared windows of {count} frames sum to {left:.1e}, too little to tell it; choose "
                f"{' or '.join(remedies)}"
            )
        return torch.from_numpy(1 / covered).to(like.device, like.dtype)


def check_magnitudes(name: str, values: torch.Tensor) -> None:
    """Raise a ValueError if some values lie below 0, as logarithms and decibels do."""
    least = float(values.detach().amin()) if values.numel() else 0.0
    if least < 0:
        raise ValueError(f"{name} with values down to {least:.3g}: needs none below 0; undo a logarithm or decibels")


def magnitudes(values: torch.Tensor, exponent: float) -> torch.Tensor:
    """Return magnitudes of which powers are given, with a gradient of 0 where they are 0."""
    if exponent == 1:
        return values
    silent = values <= 0
    return values.masked_fill(silent, 1.0).pow(1 / exponent).masked_fill(silent, 0.0)


def spread(bands: torch.Tensor, bank: torch.Tensor, unsummed: torch.Tensor, n_iter: int) -> torch.Tensor:
    """Compute values of at least 0 whose sums over bands are given, as nearly as that allows.

    Douglas and Rachford's iteration (1956) between the values of those sums and the values of at least 0. It begins
    with the least values by their squares of which the sums are right, of which some are below 0.

    Args:
        bands: sums, (..., bands, frames).
        bank: weights, (bands, bins).
        unsummed: their pseudoinverse, (bins, bands).
        n_iter: number of iterations.

    Returns:
        (..., bins, frames).
    """
    values = unsummed @ bands
    for _ in range(n_iter):
        kept = values.clamp(min=0)
        beyond = 2 * kept - values
        values = values + (beyond - kept) + unsummed @ (bands - bank @ beyond)
    return values.clamp(min=0)
