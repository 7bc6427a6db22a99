"""Masks of augmentation: bands of uniform width and place, and gradients through what is kept."""

import numpy as np
import pytest
import torch
from conftest import ROWS
from test_augmentation import (
    AUDIO,
    MASKS,
    RATE,
    SAMPLES,
    assert_independent,
    assert_uniform,
    devices,
    features_on,
    music_on,
    seeded,
)

from sweep.config import Augment
from sweep.training.augmentation import augment_audio, mask


def bands(made: torch.Tensor, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and width of each clip's band along the bins, 2, or the frames, 3: all or nothing, and in one piece."""
    gone = made.cpu() == 0
    other = tuple({1, 2, 3} - {dim})
    line = gone.all(dim=other)
    assert torch.equal(line, gone.any(dim=other))
    line = line.int().numpy()
    assert (np.abs(np.diff(line, axis=1, prepend=0, append=0)).sum(1) <= 2).all()
    return line.argmax(1), line.sum(1)


@devices
@pytest.mark.parametrize(("dim", "key"), [(2, "mask_bins"), (3, "mask_frames")])
def test_a_band_of_uniform_width_and_place_is_gone(key, dim, device):
    shape = [4000, 2, 3, 3]
    shape[dim] = 50
    features = features_on(device, *shape)
    made = seeded(0, mask, features, Augment(**{key: 0.3}))
    assert torch.equal(made[made != 0], features[made != 0])
    start, width = bands(made, dim)
    counts = np.bincount(width, minlength=16)
    assert len(counts) == 16  # at most 0.3 of 50
    assert np.abs(counts - 250).max() < 5 * np.sqrt(250)
    wide = width > 0
    places = 50 - width[wide] + 1  # where such a band may start
    assert (start[wide] < places).all() and {0, 49} <= {*start[wide], *(start + width - 1)[wide]}
    within = np.random.default_rng(0).random(wide.sum())
    assert_uniform((start[wide] + within) / places, 0, 1)
    assert_independent(start[wide] / places, width[wide])
    assert_independent(width[1:], width[:-1])


@devices
def test_bins_and_frames_are_masked_together(device):
    features = features_on(device, 2000, 2, 20, 24)
    made = seeded(0, mask, features, MASKS)
    gone = (made == 0).cpu()
    rows, columns = gone.all(dim=3)[:, 0], gone.all(dim=2)[:, 0]
    assert torch.equal(gone, (rows[:, None, :, None] | columns[:, None, None, :]).expand_as(gone))
    widths = rows.sum(1), columns.sum(1)
    assert [int(width.max()) for width in widths] == [6, 6]
    assert_independent(*(width.numpy() for width in widths))


def test_gradients_flow_through_what_is_kept():
    features = features_on("cpu", 5, 2, 20, 24).requires_grad_()
    made = seeded(0, mask, features, MASKS)
    direction = torch.randn_like(made)
    (gradient,) = torch.autograd.grad(made, features, direction)
    assert torch.equal(gradient, direction * (made != 0))


@devices
def test_a_trainable_front_end_learns_through_masks(device):
    row = ROWS["linear-256"]
    front_end = row.front_end(SAMPLES, trainable=True).to(device)
    audio = augment_audio(music_on(device), AUDIO, RATE)

    def gradients(masked) -> list[torch.Tensor]:
        return torch.autograd.grad(masked(front_end(audio)).square().sum(), list(front_end.parameters()))

    kept = seeded(0, mask, torch.ones_like(front_end(audio)), MASKS).detach()
    made, expected = gradients(lambda z: seeded(0, mask, z, MASKS)), gradients(lambda z: z * kept)
    assert kept.mean() < 1 and made
    for actual, wanted in zip(made, expected, strict=True):
        assert wanted.isfinite().all() and wanted.any()
        torch.testing.assert_close(actual, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
