"""The grids: exactly the paper's 34 rows, in its order, and every configuration composes and validates."""

import pytest
from configs import make_config
from omegaconf import OmegaConf

from sweep.config.conf import CONF

ROWS = {
    "linear": ["linear-256", "linear-512", "linear-1024", "linear-2048", "linear-4096"],
    "log": ["log-256", "log-512", "log-1024", "log-2048", "log-4096"],
    "mel": [
        *("mel-512-128", "mel-512-256", "mel-1024-128", "mel-1024-256", "mel-1024-512"),
        *("mel-2048-128", "mel-2048-256", "mel-2048-512", "mel-2048-1024"),
        *("mel-4096-128", "mel-4096-256", "mel-4096-512", "mel-4096-1024", "mel-4096-2048"),
    ],
    "cqt": [f"cqt-{b}" for b in (12, 24, 36, 48, 72, 96, 120, 180, 240, 288)],
}
ALL = [row for rows in ROWS.values() for row in rows]


def grid(name: str) -> list[str]:
    params = OmegaConf.load(CONF / "grid" / f"{name}.yaml").hydra.sweeper.params
    return params.representation.replace(" ", "").split(",")


def test_all_is_the_34_rows_in_the_papers_order():
    assert len(ALL) == 34
    assert grid("all") == ALL


@pytest.mark.parametrize("family", ROWS)
def test_each_family_has_its_grid(family):
    assert grid(family) == ROWS[family]


def test_every_row_of_every_grid_has_a_file():
    files = {path.stem for path in (CONF / "representation").glob("*.yaml")}
    for path in (CONF / "grid").glob("*.yaml"):
        assert set(grid(path.stem)) <= files


@pytest.mark.parametrize("name", ALL)
def test_every_row_composes_to_what_its_name_says(name):
    representation = make_config(f"representation={name}").representation
    family, *numbers = name.split("-")
    assert representation.family == family
    if family in ("linear", "log"):
        assert (representation.n_fft, representation.scale) == (int(numbers[0]), family)
        assert representation.n_bins == int(numbers[0]) // 2 + 1
    elif family == "mel":
        assert (representation.n_fft, representation.n_bins) == (int(numbers[0]), int(numbers[1]))
    else:
        assert (representation.bins_per_octave, representation.n_bins) == (int(numbers[0]), 7 * int(numbers[0]))


@pytest.mark.parametrize("group", ["protocol", "data", "model", "logger"])
def test_every_option_of_every_group_composes(group):
    options = [path.stem for path in (CONF / group).glob("*.yaml")]
    assert options
    for option in options:
        config = make_config(f"{group}={option}", "data.root=music")
        assert (config.data.source if group == "data" else getattr(config, group).name) == option


def test_the_paper_protocol_to_the_letter():
    config = make_config("protocol=paper")
    expected = {
        **{"window": 16384, "steps": 35_000, "batch_size": 100, "learning_rate": 1e-6, "loss_scale": 64},
        **{"schedule": "constant", "learning_rate_scaling": "none", "standardise": 0, "output_bias": False},
        **{"validation": 0, "scored_windows": 7500, "note_step": 512},
    }
    assert {key: getattr(config.protocol, key) for key in expected} == expected
    assert config.threshold == 0.4
    assert config.data.validation == 0
