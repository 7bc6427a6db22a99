"""The task: sine waves whose frequency is to be told, made where they are needed, and two ways to split them."""

from dataclasses import dataclass, replace

import numpy as np
import torch

SAMPLES, DURATION = 8_820, 0.2  # t = linspace(0, 0.2, 8820): the last sample lies at 0.2 s itself
LOWEST, HIGHEST = 200, 22_048  # Hz, in steps of 2
PHASES = 10  # of each frequency, a tenth of a turn apart
SPLIT_SEED = 101
TEST, VALIDATION = 0.2, 0.2  # test, of all; validation, of what then remains
# With t_n = 0.2 n / 8819 the phase k t_n + p / 10 is (2 k n + 8819 p) / 88190 turns: whole numbers until the sine is
# taken, and no other sines than these 88,190.
_TURN = 10 * (SAMPLES - 1)


class Sines:
    """sin(2 pi (k t + p / 10)), exact to float32's rounding: a table of all values that there are.

    Args:
        device: where the table lies and the waves are made.
    """

    def __init__(self, device: torch.device):
        turns = torch.arange(_TURN, dtype=torch.float64) / _TURN
        self.table = torch.sin(2 * torch.pi * turns).float().to(device)
        self.steps = 2 * torch.arange(SAMPLES, dtype=torch.int32, device=device)

    def __call__(self, k: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        """(batch,) int32 frequencies in Hz and (batch,) int32 tenths of a turn -> (batch, 8820) float32."""
        places = torch.addcmul(((SAMPLES - 1) * p)[:, None], k[:, None], self.steps).remainder_(_TURN)
        return self.table.index_select(0, places.flatten()).view(places.shape)


@dataclass(frozen=True, eq=False)
class Batches:
    """The waves of one part of a split, in an order that stays: (batches, batch size) each.

    The last batch is filled up with waves that weigh nothing, so that all are of one shape.

    Attributes:
        k, p: int32, frequency in Hz and phase in tenths of a turn.
        targets: float32, k / 22,048.
        weights: float32, of each wave in its batch's mean: 1 / waves, or 0.
        shares: (batches,) float32, of each batch in the mean over all waves.
        waves: in all.
        features: (batches, batch size, bins, frames) float32 where a frozen front-end has computed them.
    """

    k: torch.Tensor
    p: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    shares: torch.Tensor
    waves: int
    features: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.k)

    def take(self, at: torch.Tensor, sines: Sines) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What goes in, waves or features, then targets and weights of a batch; `at` is (1,) on the device."""
        targets, weights = (part.index_select(0, at)[0] for part in (self.targets, self.weights))
        if self.features is not None:
            return self.features.index_select(0, at)[0], targets, weights
        return sines(*(part.index_select(0, at)[0] for part in (self.k, self.p))), targets, weights

    @torch.no_grad()
    def through(self, front_end: torch.nn.Module, sines: Sines) -> "Batches":
        """The same, with the features that a frozen front-end gives: they never change."""
        features = [front_end(sines(k, p)) for k, p in zip(self.k, self.p, strict=True)]
        return replace(self, features=torch.stack(features))


def make_batches(k: np.ndarray, p: np.ndarray, size: int, device: torch.device) -> Batches:
    """Waves in the order given, `size` at a time."""
    waves, count = len(k), -(-len(k) // size)
    filled = np.resize(np.arange(waves), (count, size))
    real = np.arange(count * size).reshape(count, size) < waves
    weights, shares = real / real.sum(axis=1, keepdims=True), real.sum(axis=1) / waves
    whole = (torch.from_numpy(part[filled].astype(np.int32)).to(device) for part in (k, p))
    fractions = (torch.from_numpy(x).float().to(device) for x in (k[filled] / HIGHEST, weights, shares))
    return Batches(*whole, *fractions, waves)


def waves(every: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Frequency in Hz and phase in tenths of a turn of each wave: frequencies rising, the ten phases of each in turn.

    Args:
        every: one frequency in so many is kept; 1 is all 10,925.
    """
    k = np.arange(LOWEST, HIGHEST + 1, 2)[::every]
    return np.repeat(k, PHASES), np.tile(np.arange(PHASES), len(k))


def split_waves(k: np.ndarray) -> dict[str, np.ndarray]:
    """The published split: places of 80 % and 20 % of all waves, so that phases of a frequency fall on both sides.

    It is scikit-learn's train_test_split(test_size=0.2, random_state=101), in its order.
    """
    order = np.random.RandomState(SPLIT_SEED).permutation(len(k))
    tests = -int(-TEST * len(k) // 1)
    return {"train": order[tests:], "test": order[:tests]}


def split_frequencies(k: np.ndarray) -> dict[str, np.ndarray]:
    """Places of 64, 16 and 20 % of the frequencies, each with all its phases on one side, in a drawn order."""
    rng = np.random.RandomState(SPLIT_SEED)
    drawn = rng.permutation(np.unique(k))
    tests = round(TEST * len(drawn))
    validations = round(VALIDATION * (len(drawn) - tests))
    cuts = np.split(drawn, [tests, tests + validations])
    parts = zip(("test", "validation", "train"), cuts, strict=True)
    parts = {name: np.flatnonzero(np.isin(k, some)) for name, some in parts}
    return {name: rng.permutation(places) for name, places in parts.items()}
