"""Compute the values with which learned filters begin: SincNet's cut-off frequencies and LEAF's Gabor functions."""

import math

import numpy as np

from sweep.checks import check_positive, check_range, check_whole
from sweep.filters.mel import hz_to_mel, mel_bank, mel_to_hz


def sincnet_bands(
    n_filters: int,
    sample_rate: float,
    f_min: float = 30.0,
    f_max: float | None = None,
    min_low_hz: float = 50.0,
    min_band_hz: float = 50.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute SincNet's initial values, which lie next to each other on HTK's mel scale (Ravanelli and Bengio 2018).

    With n_filters + 1 corners c_k equally far apart in mel from f_min to f_max, they are low_k = c_k and
    band_k = c_(k+1) - c_k. Filter k passes min_low_hz + low_k to min_low_hz + low_k + min_band_hz + band_k, so that
    neighbours overlap by min_band_hz.

    Args:
        n_filters: number of filters.
        sample_rate: samples per second, in Hz.
        f_min: lowest corner in Hz.
        f_max: highest corner in Hz; None: sample_rate / 2 - min_low_hz - min_band_hz, the highest one allowed.
        min_low_hz: number added to a lower cut-off frequency, in Hz.
        min_band_hz: number added to a bandwidth, in Hz.

    Returns:
        low and band in Hz, (n_filters,) float64 each.

    >>> low, band = sincnet_bands(80, 16000)
    >>> low[:2].round(2), band[:2].round(2)
    (array([30.  , 52.86]), array([22.86, 23.57]))
    """
    check_whole("n_filters", n_filters)
    for key, value in (("sample_rate", sample_rate), ("min_low_hz", min_low_hz), ("min_band_hz", min_band_hz)):
        check_positive(key, value)
    highest = sample_rate / 2 - min_low_hz - min_band_hz
    if highest <= 0:
        less = f"min_low_hz {min_low_hz:g} Hz and min_band_hz {min_band_hz:g} Hz"
        raise ValueError(f"sample_rate {sample_rate:g}: half of it holds no more than {less}; choose a higher one")
    f_max = highest if f_max is None else f_max
    check_range(f_min, f_max, lowest=0.0)
    if f_max > highest:
        raise ValueError(f"f_max {f_max:g} Hz > {highest:g} Hz, sample_rate / 2 - min_low_hz - min_band_hz; lower it")
    low, high = hz_to_mel(np.array([f_min, f_max]), "htk")
    corners = mel_to_hz(np.linspace(low, high, n_filters + 1), "htk")
    return corners[:-1], np.diff(corners)


def leaf_gabors(
    n_filters: int, sample_rate: float, f_min: float = 60.0, f_max: float = 7800.0, n_fft: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """Compute LEAF's initial Gabor functions, which are about as broad as mel bands (Zeghidour et al. 2021).

    Of the mel band B_k (HTK's scale, linear in mel, on the FFT's grid; `mel_bank`), the centre is the point where it is
    largest, and the width in frequency is the number F_k of points where sqrt(B_k) is at least half of its largest
    value:

        mu_k = 2 pi argmax(B_k) / n_fft        sigma_k = sqrt(2 ln 2) n_fft / (pi F_k)

    so that the spectrum of exp(-n^2 / (2 sigma_k^2)), a Gaussian too, is F_k points wide at half of its peak.

    Args:
        n_filters: number of filters.
        sample_rate: samples per second, in Hz.
        f_min, f_max: lowest and highest corner of the mel bands in Hz.
        n_fft: length of the FFT whose grid the bands are read on, even.

    Returns:
        Centres mu in radians per sample and standard deviations sigma in samples, (n_filters,) float64 each.

    Raises:
        ValueError: a band holds no point of the grid, or a number is out of its range.

    >>> mu, sigma = leaf_gabors(40, 16000)
    >>> (mu[:3] * 16000 / 2 / np.pi).round(2), sigma[[0, -1]].round(2)
    (array([ 93.75, 156.25, 218.75]), array([95.94,  8.34]))
    """
    check_whole("n_filters", n_filters)
    check_whole("n_fft", n_fft)
    if n_filters > n_fft // 2 + 1:
        raise ValueError(f"n_filters {n_filters} > {n_fft // 2 + 1} bins of n_fft {n_fft}; choose a longer n_fft")
    bank = np.sqrt(mel_bank(sample_rate, n_fft, n_filters, f_min, f_max, "htk", None, "mel"))
    peaks = bank.max(axis=1, keepdims=True)
    if empty := int((peaks == 0).sum()):
        raise ValueError(
            f"n_fft {n_fft}: {empty} of {n_filters} mel bands hold no point of its grid; choose a longer n_fft"
        )
    points = (bank >= peaks / 2).sum(axis=1)
    return 2 * np.pi / n_fft * bank.argmax(axis=1), math.sqrt(2 * math.log(2)) * n_fft / (np.pi * points)
