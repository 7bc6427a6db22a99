"""The spectral engine's tables for clips of one length, and its three steps: FFT, slices, frames."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from sweep.engines import derivatives, framing
from sweep.engines.gpu import fused
from sweep.engines.gpu.decimate import Decimator
from sweep.filters import Kernels

# Bins whose kernels differ by up to this factor in length share one slice width.
_SPREAD = 2**0.5
# Bytes of spectrum slices in memory at a time: a core's share of cache, or a small part of a GPU's memory.
_CHUNK = {"cpu": 4 << 20, "cuda": 256 << 20}
# On CUDA a block of a long clip is decimated by up to this factor if the bins' frequencies lie below this share of the
# lower rate.
_FACTOR, _PASSED = 64, 0.4
_FEW = 400  # (wanted points * samples / points of the circle) up to which a matrix product is faster than an FFT


def fast_length(n: int) -> int:
    """Return the least 2^a or 3 2^a that is at least n: FFTs of such lengths are fast, and there are few of them."""
    power = 1 << (n - 1).bit_length()
    return 3 * power // 4 if n <= 3 * power // 4 else power


@dataclass
class Slices:
    """The tables of some neighbouring bins: starts of the slices, the kernels' spectra, and the frames' phases."""

    starts: torch.Tensor  # (bins, 1) first point of each slice, counted from the lowest one
    spectra: torch.Tensor  # (bins, 1, width) complex
    phases: torch.Tensor  # (2 * folded width, 2 * frames) real: matrix from (real, imaginary) points to frames
    rotation: torch.Tensor  # (bins, 1, frames) complex: phase of each slice's first point


class Plan:
    """The tables of the bins that share one FFT length, for one clip length, on one device."""

    def __init__(self, kernels: Kernels, hop_length: int, tolerance: float, tf32: bool):
        self.kernels, self.hop_length, self.tolerance, self.tf32 = kernels, hop_length, tolerance, tf32

    def lay_out(self, samples: int, centre: int, count: int, reach: int):
        """Choose the FFT's circle: the whole clip, or overlapping blocks of it if there are many frames.

        Args:
            samples: length of the clip with its padding.
            centre: sample at the first frame's centre.
            count: number of frames of the clip.
            reach: longest lag, in samples, that has to be right.
        """
        self.samples, self.count, self.reach = samples, count, reach
        block_frames = max(64, 1 << (int(self.kernels.lengths.max()) // self.hop_length).bit_length())
        if count <= block_frames:
            self.block = None
            self.centre, self.frames, size = centre, count, samples + reach
            self.fade_from = samples
        else:
            # Rounded to whole samples of any lower rate that a block may be decimated to.
            self.reach = reach = centre + -(-(reach - centre) // _FACTOR) * _FACTOR
            self.centre, self.frames = reach, block_frames
            size = self.block = self.samples = (block_frames - 1) * self.hop_length + 2 * reach
            self.clip_offset = reach - centre
            self.fade_from = reach
        self.folded = fast_length(math.ceil(size / self.hop_length))
        self.circle = self.folded * self.hop_length

    @property
    def blocks(self) -> int:
        """The number of FFTs for one clip."""
        return 1 if self.block is None else math.ceil(self.count / self.frames)

    def multiply_adds(self) -> float:
        """Return the multiply-adds for one clip behind its FFTs: products with the spectra, and the frames' phases."""
        total = 0.0
        for bins in self._groups():
            _, width = self._width(self.kernels[bins])
            total += (bins.stop - bins.start) * 4 * (width + min(width, self.folded) * self.frames)
        return self.blocks * total

    def _groups(self) -> list[slice]:
        """Return slices of neighbouring bins whose kernels differ so little in length that they share a width."""
        lengths, groups, start = np.minimum(self.kernels.lengths, 2 * self.reach), [], 0
        for k in range(1, len(lengths) + 1):
            if k == len(lengths) or lengths[start] > _SPREAD * lengths[k]:
                groups.append(slice(start, k))
                start = k
        return groups

    def make_tables(self, device, dtype):
        """Compute the tables in float64, then round them once."""
        kernels = self.kernels
        positions = kernels.frequencies * self.circle / kernels.sample_rate
        starts, spectra = zip(*(self._spectra(kernels[g], positions[g]) for g in self._groups()), strict=True)
        # Where a slice reaches below 0 Hz or above half the sample rate, it meets the mirror image of the spectrum.
        self.lowest = min(0, *(int(s.min()) for s in starts))
        highest = max(int(s.max()) + h.shape[1] for s, h in zip(starts, spectra, strict=True))
        self.mirror = None
        if self.lowest < 0 or highest > self.circle // 2 + 1:
            points = np.arange(self.lowest, max(highest, 1)) % self.circle
            conjugated = points > self.circle // 2
            points = np.where(conjugated, self.circle - points, points)
            self.mirror = tuple(torch.from_numpy(part).to(device) for part in (points, conjugated))
        self.slices = [self._make_slices(s, h, device, dtype) for s, h in zip(starts, spectra, strict=True)]
        self.fused = self.fuse() if device.type == "cuda" and dtype == torch.float32 else None
        self.factor = 1
        if device.type == "cuda" and self.block is not None:
            while (
                self.factor < _FACTOR
                and not self.hop_length % (2 * self.factor)
                and (2 * self.factor * highest <= _PASSED * self.circle)
            ):
                self.factor *= 2
        self.decimate = Decimator(self.factor, _PASSED, self.tolerance / 5) if self.factor > 1 else None
        # If few points of a long circle are wanted, a TF32 product computes them faster than an FFT computes all.
        count = min(max(highest, 1 - self.lowest) + 3 & ~3, self.circle // 2 + 1)
        self.waves = None
        sooner = self.factor == 1 and count * self.samples <= _FEW * self.circle
        if self.tf32 and device.type == "cuda" and sooner:
            steps = torch.arange(self.samples, device=device)[:, None] * torch.arange(count, device=device)
            angles = (steps % self.circle).double() * (-2 * np.pi / self.circle)
            self.waves = torch.stack([angles.cos(), angles.sin()], dim=-1).to(dtype).flatten(1)

    def _make_slices(self, starts: np.ndarray, spectra: np.ndarray, device, dtype) -> Slices:
        width, folded = spectra.shape[1], self.folded
        t = np.arange(self.frames)
        waves = np.exp(2j * np.pi * ((np.arange(min(width, folded))[:, None] * t) % folded) / folded)
        phases = np.stack([waves.real, -waves.imag], 1), np.stack([waves.imag, waves.real], 1)
        phases = np.concatenate([p.reshape(-1, self.frames) for p in phases], axis=1)
        rotation = np.exp(2j * np.pi * ((starts[:, None] * t) % folded) / folded)
        complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
        return Slices(
            torch.from_numpy(starts[:, None] - self.lowest).to(device),
            torch.from_numpy(spectra[:, None]).to(device, complex_dtype),
            torch.from_numpy(phases).to(device, dtype),
            torch.from_numpy(rotation[:, None]).to(device, complex_dtype),
        )

    def _spectra(self, kernels: Kernels, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return first points and spectra of similar kernels' slices: (bins,) int and (bins, width) complex128.

        A kernel's spectrum at point p is its envelope's at the distance p - position from its centre frequency.
        Envelopes are smooth, so every `step`-th lag suffices for a slice: the images that this undersampling folds in
        lie at least 3.5 slice widths away.
        """
        first, stop = self._envelope_span(kernels)
        half, width = self._width(kernels)
        step = 1 << max(0, int(math.log2(max(1, self.circle // (4 * width)))))
        lags = np.arange(-(-first // step) * step, stop, step)
        starts = np.ceil(positions - half).astype(np.int64)
        envelopes = np.stack([self._envelope(kernels, k, lags) for k in range(len(kernels))])
        points = starts[:, None] + np.arange(width)
        if step == 1:
            spectra = np.stack([self._whole_spectrum(e, p, lags) for e, p in zip(envelopes, positions, strict=True)])
            spectra = np.take_along_axis(spectra, points % self.circle, axis=1)
        else:
            # exp(2 pi i (start + j - position) n / M); the factor that all bins share is computed once.
            offsets = np.exp(2j * np.pi * (starts - positions)[:, None] * lags / self.circle)
            shared = np.exp(2j * np.pi * ((np.arange(width)[:, None] * lags) % self.circle) / self.circle)
            spectra = torch.from_numpy(envelopes * offsets) @ torch.from_numpy(shared).T  # torch's threads: NumPy's
            spectra = spectra.numpy() * (step / self.circle)  # would contend with them
        return starts, spectra * np.exp(2j * np.pi * ((points * self.centre) % self.circle) / self.circle)

    def _width(self, kernels: Kernels) -> tuple[int, int]:
        """Return the points before a slice's centre, and its width: that of the shortest of similar kernels."""
        shortest = int(np.argmin(kernels.lengths))
        half = self._half_width(self._envelope(kernels, shortest, np.arange(*self._envelope_span(kernels))))
        width = 2 * half + 1
        if width > self.folded:
            width = min(math.ceil(width / self.folded) * self.folded, self.circle)
        return min(half, width // 2), width

    def _whole_spectrum(self, envelope: np.ndarray, position: float, lags: np.ndarray) -> np.ndarray:
        """Compute a kernel's spectrum at every point of the circle, divided by M."""
        taps = np.zeros(self.circle, dtype=np.complex128)
        waves = np.exp(-2j * np.pi * np.mod(position / self.circle * lags, 1.0))
        np.add.at(taps, lags % self.circle, envelope * waves)
        return np.fft.ifft(taps)

    def _envelope_span(self, kernels: Kernels) -> tuple[int, int]:
        first, last = int(kernels.first_lags.min()), int(kernels.last_lags.max())
        return max(first, -self.reach), min(last + 1, self.reach)

    def _envelope(self, kernels: Kernels, bin: int, lags: np.ndarray) -> np.ndarray:
        """Return a kernel's envelope, faded out between the last lag that can meet a sample and the reach."""
        envelope = kernels.envelope(bin, lags)
        if kernels.lengths[bin] > 2 * self.reach:
            beyond = np.clip((np.abs(lags) - self.fade_from) / (self.reach - self.fade_from), 0, 1)
            envelope = envelope * np.cos(np.pi / 2 * beyond) ** 2
        return envelope

    def _half_width(self, envelope: np.ndarray) -> int:
        """Return the distance from its peak, in points, beyond which an envelope's spectrum is within the tolerance."""
        # Sampled finer than the circle's points: a slice may lie between them, and a window's zeros may fall on them.
        finer = math.ceil(4 * len(envelope) / self.circle)
        spectrum = np.abs(np.fft.rfft(envelope, finer * self.circle))
        # The transform of a window such as Hamming's falls off slowly, so the sum of its tail counts too. Hann's tail
        # sums to less than three times the tolerance from where it falls below the tolerance.
        tail = np.sqrt(np.cumsum(spectrum[::-1] ** 2)[::-1])
        beyond = (spectrum > self.tolerance * spectrum[0]) | (tail > 3 * self.tolerance * tail[0])
        return int(np.flatnonzero(beyond)[-1]) // finer + 1

    def __call__(self, spectrum: torch.Tensor, phase: bool) -> torch.Tensor:
        """Map what `spectrum` gives to (bins, batch, 2 * frames): real parts, then imaginary parts."""
        batch = spectrum.shape[0] // self.blocks
        if self.mirror is not None:
            points, conjugated = self.mirror
            spectrum = spectrum.index_select(1, points)
            spectrum = torch.where(conjugated, spectrum.conj(), spectrum)
        both = self._frames(spectrum, derivatives.followed(spectrum))
        if phase:
            rotation = torch.cat([slices.rotation for slices in self.slices])
            rotated = torch.complex(*both.unflatten(-1, (2, -1)).unbind(2)) * rotation
            both = torch.cat([rotated.real, rotated.imag], dim=-1)
        if self.block is not None:
            # (bins, batch, block, part, frame) -> (bins, batch, part, block and frame)
            both = both.view(len(both), batch, -1, 2, self.frames).transpose(2, 3)
            both = both.flatten(3)[..., : self.count].flatten(2)
        return both

    def finish_into(self, x: torch.Tensor, finish, out: torch.Tensor, first: int) -> int:
        """Write finished values of these bins; return the bin after them."""
        ended = self.frames, finish.offset, finish.power, self.tf32
        fused.finish_spectral(self.spectrum(x), self.circle, self.fused, out, first, *ended)
        return first + len(self.kernels)

    def gradient(self, spectrum: torch.Tensor, finish, by_out: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the clips' spectra, given that of these bins' finished values."""
        ended = self.frames, finish.offset, finish.power, self.tf32
        return fused.spectral_gradient(spectrum, self.circle, self.fused, by_out, *ended)

    def fuse(self) -> tuple:
        """Return the tables of all slices as `fused.finish_spectral` reads them."""
        # Each row of phases stands for a real or an imaginary part, each half of its columns gives one.
        waves = max((s.phases for s in self.slices), key=len).view(-1, 2, 2, self.frames)[:, 0]
        sizes = [-(-n // m) * m for n, m in ((len(waves), fused.STEP), (self.frames, fused.FRAMES))]
        cosines, sines = (torch.zeros(*sizes, device=waves.device) for _ in range(2))
        cosines[: len(waves), : self.frames], sines[: len(waves), : self.frames] = waves[:, 0], waves[:, 1]
        if self.tf32:
            cosines, sines = fused.rounded(cosines), fused.rounded(sines)
        starts = torch.cat([s.starts[:, 0] + self.lowest for s in self.slices])
        widths = torch.cat([torch.full_like(s.starts[:, 0], s.spectra.shape[-1]) for s in self.slices])
        numbers = torch.stack([starts, widths, widths.cumsum(0) - widths]).int()
        return numbers, torch.cat([s.spectra.flatten() for s in self.slices]), cosines, sines, self.folded

    def spectrum(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, samples) to the spectra of the clips or of their blocks, (batch * blocks, points)."""
        if self.block is not None:
            advance, count = self.frames * self.hop_length, math.ceil(self.count / self.frames)
            if self.decimate is not None:
                blocks = count, advance // self.factor, math.ceil(self.block / self.factor)
                x = self.decimate(x, self.clip_offset, blocks, self.circle // self.factor)
            else:
                missing = (count - 1) * advance + self.block - self.clip_offset - x.shape[-1]
                x = framing.pad(x, self.clip_offset, max(0, missing), "constant")
                x = framing.frames(x, 0, self.block, advance, count).reshape(-1, self.block)
        if self.waves is None:
            return torch.fft.rfft(x, self.circle // self.factor)
        return torch.view_as_complex((x @ self.waves).view(x.shape[0], -1, 2))

    def _frames(self, spectrum: torch.Tensor, differentiable: bool) -> torch.Tensor:
        """Map (clips, points) to (bins, clips, 2 * frames), some bins at a time, so that slices fit in a cache."""
        clips = torch.arange(spectrum.shape[0], device=spectrum.device) * spectrum.shape[1]
        chunk = _CHUNK.get(spectrum.device.type, _CHUNK["cpu"])
        shape = (len(self.kernels), spectrum.shape[0], 2 * self.frames)
        both = None if differentiable else torch.empty(shape, device=spectrum.device, dtype=self.slices[0].phases.dtype)
        parts, done = [], 0
        for slices in self.slices:
            bins, _, width = slices.spectra.shape
            runs = spectrum.reshape(-1).unfold(0, width, 1)
            size = framing.at_a_time(bins, chunk, spectrum.shape[0] * width * spectrum.element_size())
            for first in range(0, bins, size):
                starts = slices.starts[first : first + size]
                if differentiable:
                    # The gradient of an unfolded view indexed by bin would be as large as the whole view.
                    points = (starts + torch.arange(width, device=starts.device)).view(-1)
                    passed = spectrum.index_select(1, points).view(clips.shape[0], -1, width).transpose(0, 1)
                    passed = passed * slices.spectra[first : first + size]
                else:
                    passed = runs.index_select(0, (starts + clips).view(-1)).view(-1, clips.shape[0], width)
                    torch.mul(passed, slices.spectra[first : first + size], out=passed)
                if width > self.folded:
                    passed = passed.unflatten(-1, (-1, self.folded)).sum(2)
                passed = torch.view_as_real(passed).reshape(-1, slices.phases.shape[0])
                if differentiable:
                    parts.append((passed @ slices.phases).view(len(starts), *shape[1:]))
                else:
                    torch.mm(passed, slices.phases, out=both[done : done + len(starts)].view(-1, shape[-1]))
                done += len(starts)
        return torch.cat(parts) if differentiable else both
