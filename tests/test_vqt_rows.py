"""Rows of the families vqt and cqt with the keys that came after runs were made."""

import numpy as np
import pytest
import torch
from conftest import ALL_34, SAMPLE_RATE, synthesised_music
from definition import relative_l2
from test_vqt import summed

from sweep import row
from sweep.representations import from_tree
from sweep.transforms import VQT

LATER = {"filter_scale": 0.5, "basis_norm": "peak"}


@pytest.mark.parametrize("bins_per_octave, context", [(12, 2615), (24, 5305), (36, 7996)])
def test_rows_of_seven_octaves(bins_per_octave, context):
    """Their longest kernel: SAMPLE_RATE / ((2^(1 / b) - 1) (55 + 24.7 / 0.108))."""
    r = row(f"vqt-{bins_per_octave}")
    assert (r.n_bins, r.context, r.gamma) == (7 * bins_per_octave, context, "erb")
    np.testing.assert_allclose(r.frequencies, row(f"cqt-{bins_per_octave}").frequencies)
    assert r.context == np.ceil(SAMPLE_RATE / (2 ** (1 / bins_per_octave) - 1) / (55 + 24.7 / 0.108))
    front_end = r.transform()
    assert isinstance(front_end, VQT) and front_end.context == context


def test_a_row_is_the_sum_of_its_kernels():
    x = synthesised_music()[None]
    frequencies = 55.0 * 2 ** (np.arange(84) / 12)
    for r, gamma, filter_scale in (
        (row("vqt-12"), (2 ** (1 / 12) - 1) * 24.7 / 0.108, 1.0),
        (row("vqt-12", gamma=10, filter_scale=2.0), 10.0, 2.0),
        (row("cqt-12", filter_scale=0.5), 0.0, 0.5),
    ):
        expected = np.abs(summed(x, frequencies, SAMPLE_RATE, gamma, filter_scale))
        actual = r.transform(accuracy="exact")(torch.from_numpy(x))
        assert relative_l2(actual, expected) < 1e-5


def test_keys_that_came_later_leave_the_34_rows_as_they_were():
    """A record holds them only where they were changed, so that a run made before them is still the same run."""
    assert not any(set(LATER) & set(r.record()) for r in ALL_34)
    for name in ("cqt-12", "vqt-12"):
        changed = row(name, **LATER)
        assert {key: changed.record()[key] for key in LATER} == LATER
        assert from_tree(changed.record()) == changed != row(name) == from_tree(row(name).record())


@pytest.mark.parametrize(
    "keys, said",
    [
        ({"gamma": -1}, "conf/representation/vqt-12.yaml: gamma -1: needs a number of at least 0, or erb"),
        ({"gamma": "abc"}, "conf/representation/vqt-12.yaml: gamma abc: needs a number of at least 0, or erb"),
        ({"gamma": None}, "conf/representation/vqt-12.yaml: gamma None: needs a number of at least 0, or erb"),
        ({"filter_scale": 0}, "vqt-12.yaml: filter_scale 0: needs a number above 0"),
        ({"basis_norm": True}, "vqt-12.yaml: basis_norm True: choose one of 1, 2, peak, length, none"),
        ({"filter_scale": 1e8}, "vqt-12.yaml: filter_scale 1e.08: the longest kernel would have more than 2"),
    ],
)
def test_errors(keys, said):
    with pytest.raises(ValueError, match=said):
        row("vqt-12", **keys)


def test_a_trained_row_has_a_kernel_for_each_bin():
    bank = row("vqt-12", n_bins=12, f_min=880.0).transform(4096, trainable=True).trainable_kernels()
    assert bank is not None and len(bank) == 12
    with pytest.raises(
        ValueError, match="frontend.trainable True: vqt-12 with algorithm 2010 has no time-domain kernel"
    ):
        row("vqt-12", algorithm="2010").check_trainable(True)
