"""Features computed by a DataLoader's worker; apart from the tests, since a worker that is spawned imports this."""

import torch
from torch.utils.data import Dataset


class Features(Dataset):
    """What front-ends make of a clip, in a worker.

    Args:
        transforms: front-ends, which are pickled for the worker.
        clip: (1, samples).
    """

    def __init__(self, transforms: list[torch.nn.Module], clip: torch.Tensor):
        self.transforms, self.clip = transforms, clip

    def __len__(self) -> int:
        return len(self.transforms)

    @torch.no_grad()
    def __getitem__(self, i: int) -> torch.Tensor:
        return self.transforms[i](self.clip)
