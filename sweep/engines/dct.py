"""Apply the discrete cosine transform of `filters.dct_matrix` over the bins of features."""

import torch

from sweep import filters
from sweep.engines.direct import matmul_precision
from sweep.engines.tables import Tables

_tables = Tables()


def dct(y: torch.Tensor, n_out: int, lifter: float = 0.0) -> torch.Tensor:
    """Transform the bins of (..., bins, frames) into n_out cepstral coefficients: (..., n_out, frames)."""
    n_in = y.shape[-2]
    key = (n_out, n_in, lifter, y.device, y.dtype)

    def make() -> torch.Tensor:
        return torch.from_numpy(filters.dct_matrix(n_out, n_in, lifter)).to(y.device, y.dtype)

    matrix = make() if torch.compiler.is_compiling() else _tables.get(key, make)
    with matmul_precision("highest", y.is_cuda):
        return matrix @ y
