"""The grids: exactly the paper's 34 rows, in its order, and every configuration composes and validates."""

import pytest
from configs import make_config
from omegaconf import OmegaConf

from sweep.commands.list import keys, options
from sweep.config.conf import CONF, row_files
from sweep.config.rows import row

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
    for path in (CONF / "grid").glob("*.yaml"):
        assert set(grid(path.stem)) <= set(row_files())


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


# What of onsets-frames each knob changes.
KNOBS = {
    **dict.fromkeys(("rate-22050", "rate-44100"), {"sample_rate", "n_fft", "hop_length"}),
    **dict.fromkeys(("hop-160", "hop-256"), {"hop_length"}),
    **dict.fromkeys(("fft-1024", "fft-4096"), {"n_fft"}),
    **dict.fromkeys(("bands-80", "bands-128", "bands-512"), {"n_mels"}),
    "slaney": {"mel_scale"},
    "power": {"power", "compression"},  # whose floor is squared too
    **dict.fromkeys(("db-80", "log1p-1", "log1p-1000", "pcen"), {"compression"}),
}


def changes(name: str, base: str) -> set[str]:
    one, other = row(f"knob/{name}").record(), row(base).record()
    return {key for key in one.keys() | other.keys() if key != "name" and one.get(key) != other.get(key)}


def test_each_knob_changes_one_thing():
    names = [name.removeprefix("knob/") for name in grid("knobs")]
    assert names == ["onsets-frames", *KNOBS, "cqt-12", "cqt-24", "cqt-36", "cqt-48", "harmonics"]
    assert {name: changes(name, "onsets-frames") for name in KNOBS} == KNOBS
    assert changes("cqt-24", "knob/cqt-12") == changes("cqt-48", "knob/cqt-12") == {"bins_per_octave", "n_bins"}
    assert changes("harmonics", "knob/cqt-36") == {"stack"}
    shared = ("sample_rate", "hop_length", "window", "framing", "level", "compression", "normalisation", "stack")
    assert not changes("cqt-36", "onsets-frames") & set(shared)
    for rate in (22_050, 44_100):  # window and hop in ms, to a sample
        it = row(f"knob/rate-{rate}")
        assert abs(it.n_fft - 2048 * rate / 16_000) <= 1 and abs(it.hop_length - 512 * rate / 16_000) <= 0.5


def test_rows_in_folders_are_found_by_their_path_and_do_not_crowd_the_list():
    config = make_config("representation=knob/hop-160")
    assert config.representation == row("knob/hop-160") and config.row == "knob/hop-160"
    assert "knob/pcen" in row_files() and not [name for name in row_files() if "base/" in name]
    assert "knob/pcen" not in options("representation") and keys("representation", "knob/pcen")
    with pytest.raises(ValueError, match="did you mean knob/pcen"):
        row("knob/pcem")
    for name in grid("knobs")[1:]:
        assert row_files()[name].read_text().splitlines()[0].startswith("# "), name


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
