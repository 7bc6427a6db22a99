"""The combined frequency and periodicity representation as a front-end."""

import numpy as np
import torch

from sweep import filters
from sweep.checks import check_choice, check_positive, check_whole
from sweep.engines.blocks import blocks_of, blocks_on, product
from sweep.engines.direct import matmul_precision
from sweep.engines.finish import Finish
from sweep.engines.framing import at_a_time, fft_multiply_adds, frames, n_frames, pad
from sweep.engines.magnitudes import powered, raised
from sweep.engines.tables import Tables
from sweep.transforms.transform import Transform

# Bytes of spectra in memory at a time: a core's share of cache, or a small part of a GPU's memory.
_CHUNK = {"cpu": 4 << 20, "cuda": 256 << 20}


class CFP(Transform):
    """Combined frequency and periodicity (Su and Yang 2015): (..., samples) -> (..., 4, n_bins, frames).

    A spectrum shows each note with its overtones, a cepstrum with its undertones; what shows in both is the note. Each
    frame, of the samples around t hop_length, is windowed and divided by the window's L2 norm. With powers (p, q, r), N
    = n_fft and x+ = max(x, 0):

        spectrum  S = |X|^p, X the FFT of the frame
        cepstrum  C = ((Re FFT(S) / sqrt(N))+)^q, its first and last round(sample_rate / f_max) values 0
        GCoS      G = ((Re FFT(C) / sqrt(N))+)^r, its first and last round(f_min N / sample_rate) values 0

    Triangles centred on f_min 2^(k / bins_per_octave) turn S, G and C into n_bins rows, C at the frequency of which a
    quefrency is the period. The channels are G C (of the rows), S, G, C. Rows whose triangles hold no point are 0: at
    low frequencies those of S and G, at high ones those of C, and always row 0. The defaults are omnizart's.

    Frames begin before and end behind the clip; the published code leaves out the first and the last of ours, those
    centred on the clip's ends.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of the FFT, even; sample_rate / n_fft is the spectrum's resolution in Hz.
        win_length: length of the window in samples, at most n_fft.
        hop_length: samples between frames.
        window: symmetric window, "blackmanharris", "hann", "hamming", "blackman" or "boxcar".
        f_min, f_max: lowest centre, and the open end of the centres, in Hz; they also set which values are 0.
        bins_per_octave: number of rows per octave.
        powers: exponents p, q and r, above 0.
        norm: "window_in_use" divides frames at the clip's ends by the norm of the part of the window that meets the
            clip (omnizart), whose last sample is left out as published; "window", all frames by the whole window's
            (nnAudio).
        spectrum: rows of the spectrum's channel: "compressed", S (omnizart); "magnitude", |X| (nnAudio).

    Attributes:
        n_channels: 4.
        empty_filters: number of rows of the spectrum that are 0.

    Raises:
        ValueError: a number is out of its range.

    >>> CFP()(torch.randn(2, 8820)).shape
    torch.Size([2, 4, 352, 11])
    """

    many_launches = True

    n_channels = 4

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        n_fft: int = 22050,
        win_length: int = 7939,
        hop_length: int = 882,
        window: str = "blackmanharris",
        f_min: float = 27.5,
        f_max: float = 4487.0,
        bins_per_octave: int = 48,
        powers: tuple[float, float, float] = (0.24, 0.6, 1.0),
        norm: str = "window_in_use",
        spectrum: str = "compressed",
    ):
        banks = filters.cfp_banks(sample_rate, n_fft, f_min, f_max, bins_per_octave)
        n_fft, hop_length = int(n_fft), check_whole("hop_length", hop_length)  # n_fft is checked with the banks
        check_choice("norm", norm, filters.CFP_NORMS)
        check_choice("spectrum", spectrum, filters.CFP_SPECTRA)
        taps, win_length = filters.cfp_window(window, win_length), int(win_length)
        if win_length > n_fft:
            raise ValueError(f"win_length {win_length} > n_fft {n_fft}; choose a shorter win_length or a longer n_fft")
        if len(powers) != 3:
            raise ValueError(f"powers {powers}: needs three, of the spectrum, the cepstrum and the GCoS")
        for power in powers:
            check_positive("powers", power)
        frequencies = filters.cfp_frequencies(f_min, f_max, bins_per_octave)[:-1]
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=win_length)
        self.n_fft, self.norm, self.powers = n_fft, norm, tuple(powers)
        self.compressed = spectrum == "compressed"
        p, q, r = powers
        self.exponent = (p * q * (1 + r), p if self.compressed else 1, p * q * r, p * q)
        self.empty_filters = int((banks[0].sum(1) == 0).sum())
        self._cut = round(sample_rate / f_max)
        self._window, self._first = taps, -((win_length - 1) // 2)
        self._blocks = [blocks_of(bank, bins_per_octave) for bank in banks]
        self._points = [bank.shape[1] for bank in banks]
        self._tables = Tables()

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        samples, length = x.shape[-1], len(self._window)
        count = n_frames(samples, self.hop_length)
        key = (x.device, x.dtype)
        window, *tables = self._tables.get(key, lambda: self._make_tables(x))
        scale = self._tables.get(("scale", samples, *key), lambda: self._scale(samples, x))
        used = x if self.norm == "window" else x[:, :-1]
        padded = pad(used, -self._first, length + self._first + samples - used.shape[-1], "constant")
        framed = frames(padded, 0, length, self.hop_length, count)
        chunk, each = _CHUNK.get(x.device.type, _CHUNK["cpu"]), x.shape[0] * self.n_fft * x.element_size()
        size = at_a_time(count, chunk, each)
        parts = []
        with matmul_precision("highest", x.is_cuda):
            for first in range(0, count, size):
                some = slice(first, first + size)
                parts.append(self._rows(framed[:, some] * window * scale[some], tables, careful))
        rows = torch.cat(parts, dim=2) if len(parts) > 1 else parts[0]
        return Finish(offset=offset).log(rows.transpose(2, 3))

    def _rows(self, framed: torch.Tensor, tables: list, careful: bool) -> torch.Tensor:
        """Map windowed frames, (batch, frames, win_length), to (batch, 4, frames, bins)."""
        n, (p, q, r) = self.n_fft, self.powers
        kept, over_points, over_periods = tables
        transformed = torch.fft.rfft(framed, n)
        spectrum = raised(transformed, p, careful)
        shown = spectrum if self.compressed else raised(transformed[..., : self._points[0]], 1, careful)
        # S is real and even, so its FFT is real and even too, and is N times its inverse FFT. Values that the
        # definition sets to 0 meet no triangle: they have to be 0 in the next FFT only.
        cepstrum = powered(torch.fft.irfft(spectrum, n, norm="ortho")[..., : n // 2 + 1], q)
        gcos = powered(torch.fft.irfft(cepstrum * kept, n, norm="ortho")[..., : self._points[0]], r)
        rows = product(shown, over_points), product(gcos, over_points), product(cepstrum, over_periods)
        return torch.stack([rows[1] * rows[2], *rows], dim=1)

    def _make_tables(self, like: torch.Tensor) -> tuple:
        """Return the window, how much of each cepstral value is kept, and each bank's blocks (`blocks_on`).

        Zeroing as many of the last values as of the first, C[0] on, leaves one value more at the lower end; the real
        part of the FFT is that of the even part, which holds half of it on either side.
        """
        kept = np.ones(self.n_fft // 2 + 1)
        kept[: self._cut], kept[self._cut] = 0.0, 0.5
        blocks = (blocks_on(like, bank) for bank in self._blocks)
        return *(torch.from_numpy(table).to(like.device, like.dtype) for table in (self._window, kept)), *blocks

    def _scale(self, samples: int, like: torch.Tensor) -> torch.Tensor:
        """Return one over the norm of the window, or of its part in use, for each frame, (frames, 1)."""
        energy = np.concatenate([[0.0], np.cumsum(self._window**2)])
        first = -self._first - self.hop_length * np.arange(n_frames(samples, self.hop_length))  # the clip's, in windows
        stop = first + samples - 1
        if self.norm == "window":
            first, stop = np.zeros_like(first), np.full_like(stop, len(self._window))
        used = energy[np.clip(stop, 0, len(self._window))] - energy[np.clip(first, 0, len(self._window))]
        scale = 1 / np.sqrt(np.where(used > 0, used, 1.0))
        return torch.from_numpy(scale[:, None]).to(like.device, like.dtype)

    def _fft_multiply_adds(self, samples: int) -> float:
        over_points, over_periods = (sum(rows.size for _, _, rows in bank) for bank in self._blocks)
        each = len(self._window) + 3 * fft_multiply_adds(self.n_fft) + 2 * over_points + over_periods
        return n_frames(samples, self.hop_length) * each

    def _describe_fft(self, device: torch.device) -> str:
        return "torch's FFT: of each frame, of its spectrum and of its cepstrum"
