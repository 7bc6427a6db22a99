"""A protocol's recipe for models that see segments: when it holds, and what stands above it."""

import pytest
import yaml
from configs import make_config

from sweep.commands.train import ask
from sweep.config import RunConfig
from sweep.config.conf import CONF
from sweep.scheduling.plan import compose_runs


def read(name: str) -> tuple[dict, dict]:
    """The keys of a protocol's file over those of the one that it inherits, and its recipe."""
    tree = yaml.safe_load((CONF / "protocol" / f"{name}.yaml").read_text())
    own, recipe = {}, {}
    for parent in tree.pop("defaults", []):
        own, recipe = read(parent)
    over = tree.pop("segments", {})
    augment = {**recipe.get("augment", {}), **over.get("augment", {})}
    return {**own, **tree}, {**recipe, **over, "augment": augment} if recipe or over else {}


def numbers(config: RunConfig) -> dict:
    """The protocol that holds, but for its name."""
    return {key: value for key, value in config.record()["protocol"].items() if key != "name"}


@pytest.mark.parametrize("protocol", ["converged", "quick"])
@pytest.mark.parametrize("model", ["linear", "cnn", "conv", "crnn"])
def test_the_recipe_is_for_models_that_see_segments_alone(protocol, model):
    own, recipe = read(protocol)
    assert own.keys() > recipe.keys() and recipe["augment"] and "window" in recipe
    expected = own
    if model in ("conv", "crnn"):
        expected = {**own, **recipe, "augment": {**own["augment"], **recipe["augment"]}}
    assert numbers(make_config(f"protocol={protocol}", f"model={model}")) == expected


def test_what_is_typed_stands_above_the_recipe():
    _, recipe = read("converged")
    words = ["protocol.steps=7", "protocol.clip=null", "protocol.augment.gain=0", "protocol.edge=0.2"]
    words.append("protocol.augment.mask_frames=0.1")  # which the recipe does not name
    found = numbers(make_config("protocol=converged", "model=conv", *words))
    assert (found["steps"], found["clip"], found["edge"]) == (7, None, 0.2)
    assert found["augment"] == {**recipe["augment"], "gain": 0, "mask_frames": 0.1}
    assert all(found[key] == recipe[key] for key in recipe.keys() - {"steps", "clip", "augment"})


@pytest.mark.parametrize("typed", ["protocol.augment={gain: 3}", "protocol.augment.gain=3 ~protocol.segments.augment"])
def test_a_whole_group_that_is_typed_stands_above_the_recipes(typed):
    words = [typed] if "{" in typed else typed.split()
    found = numbers(make_config("protocol=converged", "model=conv", *words))["augment"]
    assert found == {"gain": 3, "noise": 0, "equalise": 0, "mask_bins": 0, "mask_frames": 0}


def test_the_recipe_itself_can_be_changed():
    words = ["protocol=converged", "protocol.segments.steps=7", "protocol.segments.augment.noise=0.5"]
    found, linear = (numbers(make_config(*words, f"model={model}")) for model in ("conv", "linear"))
    assert (found["steps"], found["augment"]["noise"], found["augment"]["gain"]) == (7, 0.5, 6)
    assert linear == read("converged")[0]
    assert make_config(*words, "protocol.steps=9", "model=conv").protocol.steps == 9


@pytest.mark.parametrize(
    "words",
    ["protocol=paper", "protocol=converged ~protocol.segments", "protocol.segments=null", "protocol.segments=5"],
)
def test_a_protocol_without_a_recipe_is_refused_in_a_line(words):
    name = "paper" if "paper" in words else "converged" if "converged" in words else "quick"
    with pytest.raises(ValueError, match=rf"^protocol {name}: is for models that see a window, conv sees [^\n]*$"):
        make_config(*words.split(), "model=conv")
    assert make_config(*words.split(), "model=linear").protocol.name == name


@pytest.mark.parametrize("key", ["nothing", "augment.nothing"])
def test_a_key_of_the_recipe_that_does_not_exist_is_named(key):
    with pytest.raises(ValueError, match=rf"^protocol\.{key} \(1\): unknown key"):
        make_config(f"+protocol.segments.{key}=1", "model=conv")


def test_an_edge_leaves_something_of_a_segment():
    with pytest.raises(ValueError, match=r"^protocol\.edge 0\.5: leaves nothing of a segment; [^\n]*$"):
        make_config("model=conv", "protocol.edge=0.5")


def test_each_run_of_a_sweep_has_the_numbers_of_its_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["model=conv,linear,crnn", "protocol=converged,quick", "protocol.batch_size=3", "representation=cqt-12"]
    runs = compose_runs(ask([*words, "device=cpu"]))
    assert len(runs) == 6
    for run in runs:
        config = run.config
        assert config.protocol.batch_size == 3
        alone = make_config(f"model={config.model.name}", f"protocol={config.protocol.name}", "protocol.batch_size=3")
        assert numbers(config) == numbers(alone)
    windows = {(run.config.model.name, run.config.protocol.name): run.config.protocol.window for run in runs}
    assert len(set(windows.values())) == 3 and windows["linear", "quick"] == windows["linear", "converged"] == 16_384


def test_a_record_of_a_run_is_read_as_it_was():
    """What stands in result.json has the numbers that held, and no recipe."""
    config = make_config("protocol=quick", "model=crnn", "protocol.augment.gain=1")
    record = config.record()
    assert "segments" not in record["protocol"]
    assert RunConfig.from_tree(record) == config
