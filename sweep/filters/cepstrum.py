"""Compute the discrete cosine transform that turns logarithmic bands into cepstral coefficients."""

import numpy as np

from sweep.checks import check_number, check_whole


def dct_matrix(n_mfcc: int, n_mels: int, lifter: float = 0.0) -> np.ndarray:
    """Compute the orthonormal discrete cosine transform of type II, its first rows.

    D_kn = g_k (2 / n_mels)^0.5 cos(pi k (n + 1/2) / n_mels), g_0 = 2^-0.5 and g_k = 1 else (Davis and Mermelstein
    1980). A lifter L > 0 multiplies row k by 1 + L / 2 sin(pi (k + 1) / L), as librosa does.

    Args:
        n_mfcc: number of coefficients, at most n_mels.
        n_mels: number of values that they are of.
        lifter: L; 0 leaves the coefficients as they are.

    Returns:
        (n_mfcc, n_mels) float64.

    >>> dct_matrix(2, 2).round(3)
    array([[ 0.707,  0.707],
           [ 0.707, -0.707]])
    """
    check_whole("n_mfcc", n_mfcc)
    check_whole("n_mels", n_mels)
    if n_mfcc > n_mels:
        raise ValueError(f"n_mfcc {n_mfcc} > n_mels {n_mels}; choose fewer coefficients or more bands")
    check_number("lifter", lifter, 0)
    k, n = np.arange(n_mfcc)[:, None], np.arange(n_mels)
    matrix = np.sqrt(2 / n_mels) * np.cos(np.pi * k * (n + 0.5) / n_mels)
    matrix[0] /= np.sqrt(2)
    return matrix * (1 + lifter / 2 * np.sin(np.pi * (k + 1) / lifter)) if lifter else matrix
