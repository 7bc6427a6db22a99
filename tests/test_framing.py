"""The decimator: what a lower rate can hold stays as it is, what it cannot is gone."""

import numpy as np
import pytest
import torch

from sweep.engines.framing import decimate, decimator


@pytest.mark.parametrize("factor", [2, 8, 64])
@pytest.mark.parametrize("ripple", [1e-4, 1e-6])
def test_decimate(factor, ripple):
    passed, samples, before = 0.4, 300 * factor + 1, 5 * factor
    band = torch.from_numpy(decimator(factor, passed, ripple))
    count = (samples + 2 * before) // factor
    # Sines at shares of the lower rate; far from the clip's ends, which are steps and not in the band.
    inside = slice(count // 3, 2 * count // 3)
    at = factor * np.arange(count) - before
    for share, kept in ((0.01, 1), (0.25, 1), (0.4, 1), (0.6, 0), (0.9, 0), (factor / 2 - 0.1, 0)):
        if share > factor / 2:
            continue
        clip = torch.from_numpy(np.sin(2 * np.pi * share / factor * np.arange(samples) + 0.3))[None]
        y = decimate(clip, before, band, factor, (1, count, count))[0].numpy()
        expected = kept * factor * np.sin(2 * np.pi * share / factor * at + 0.3)
        assert len(y) == count and np.abs(y - expected)[inside].max() < 3 * ripple * factor


def test_blocks_are_parts_of_the_whole():
    band = torch.from_numpy(decimator(4, 0.4, 1e-4))
    clips = torch.randn(2, 3000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    whole = decimate(clips, 100, band, 4, (1, 900, 900))
    blocks = decimate(clips, 100, band, 4, (3, 250, 400)).view(2, 3, 400)
    for n in range(3):
        torch.testing.assert_close(blocks[:, n], whole[:, 250 * n : 250 * n + 400])
