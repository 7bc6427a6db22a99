"""Classes of one's own, as they register: their names and keys, and what is refused in a line."""

import importlib
import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from configs import make_config, run_alone
from conftest import ROOT

import sweep
from sweep.config.registered import registered_rows
from sweep.data.recording import Pair
from sweep.data.source import Source
from sweep.registry import explained, families, models, sources
from sweep.registry.registry import _entry_points
from sweep.representations import Representation
from sweep.representations.compressions import Compression
from sweep.representations.filtered import Filtered
from sweep.scheduling.plan import fingerprinted
from sweep.training.model import Model, Segmental

pytestmark = pytest.mark.usefixtures("forgotten")


def test_a_name_is_given_or_the_classs_own():
    @sweep.model
    class TwoLayerMLP(Model):
        pass

    @sweep.model("mlp-2")
    class Other(Model):
        pass

    assert models["two_layer_mlp"] is TwoLayerMLP and models["mlp-2"] is Other
    assert models.foreign() == ["mlp-2", "two_layer_mlp"] and "linear" in models


def test_keys_and_defaults_come_from_the_signature():
    @sweep.model
    class Mine(Segmental):
        """Something.

        Args:
            features, bias: arguments of every model.
            hidden: width of the first layer,
                in values.
            kind: a word.
        """

        LEARNING_RATE = 2e-4

        def __init__(self, features, bias=None, hidden: int = 64, kind: str = "a", rate: float | None = None):
            pass

    config = make_config("model=mine", "model.hidden=32", "protocol=converged")
    assert config.model.options == {"hidden": 32, "kind": "a", "rate": None}
    assert (config.model.sees, config.model.learning_rate) == ("segment", 2e-4)
    assert config.protocol.batch_size == 16  # the recipe for segments
    assert config.identity["model.hidden"] == 32 and config.identity["model.kind"] == "a"
    assert config.folder.parts[-3:] == ("mine+hidden=32", "cqt-48", "seed-0") and config.model_row == "mine+hidden=32"
    assert make_config("model=mine", "model.rate=3").model.options["rate"] == 3
    assert explained(Mine)["hidden"] == "width of the first layer, in values." and explained(Mine)["kind"] == "a word."
    for word, said in (("model.hidden=x", "model.hidden 'x': needs a value of type int"),):
        with pytest.raises(ValueError, match=said):
            make_config("model=mine", word)


def test_a_data_source_and_a_compression_have_keys_too():
    @sweep.source("toy")
    class Toy(Source):
        def __init__(self, root, microphone: str = "left"):
            super().__init__(root)

    @sweep.compression("root")
    class Root(Compression):
        degree: int = 2
        """Which root."""

    config = make_config("data=toy", "data.root=somewhere", "data.microphone=right")
    assert config.data.options == {"microphone": "right"} and config.identity["data.microphone"] == "right"
    row = make_config("++representation.compression.name=root", "++representation.compression.degree=3").representation
    assert (row.compression.name, row.compression.degree) == ("root", 3)
    assert Toy(".").notes(None) is None

    @sweep.compression
    class Scaled(Compression):
        factors: list = [1, 2]  # noqa: RUF012
        """Factors."""

    one, two = (Scaled(name="scaled") for _ in range(2))
    assert one.factors == [1, 2] and one.factors is not two.factors and Scaled.__doc__ == ""


def test_a_key_of_all_models_is_no_argument():
    @sweep.model
    class Mine(Model):
        def __init__(self, features, bias=None, learning_rate: float = 0.5):
            pass

    with pytest.raises(ValueError, match="Mine: model.learning_rate: is a key of all; give the argument another name"):
        make_config("model=mine")


def plain(**methods):
    return type("Mine", (Model,), methods)


def with_init(init):
    return plain(__init__=init)


def no_default(self, features, bias, hidden: int):
    pass


def odd_type(self, features, bias, kind: set = frozenset()):
    pass


def other_default(self, features, bias, hidden: int = "a"):
    pass


def starred(self, features, bias, **more: int):
    pass


def unknown_name(self, features, bias, hidden: "Nowhere" = 3):  # noqa: F821
    pass


def bare():
    class Bare(Representation):
        bins: int

    return Bare


def unnamed(self, features, bias, hidden=3):
    pass


WRONG = {
    "model.name linear: sweep.training.models.linear has this name; choose": lambda: sweep.model("linear")(plain()),
    "model.name 'a/b': needs letters, digits, and - _ . between": lambda: sweep.model("a/b")(plain()),
    "Mine: needs to be a subclass of Model; from sweep.training": lambda: sweep.model("x")(type("Mine", (), {})),
    "Mine: needs to be a subclass of Source; from sweep.data": lambda: sweep.source("x")(plain()),
    "family mel: sweep.representations.families": lambda: sweep.family("mel")(type("Mine", (Representation,), {})),
    "Mine: model.hidden: has no type; write hidden: int": lambda: sweep.model("x")(with_init(unnamed)),
    "Mine: model.hidden: has no default; write hidden: int = ...": lambda: sweep.model("x")(with_init(no_default)),
    "Mine: model.kind: set: choose int, float, str, bool, list,": lambda: sweep.model("x")(with_init(odd_type)),
    "model.hidden: its default 'a' is not of its type int": lambda: sweep.model("x")(with_init(other_default)),
    "Mine: model.more: name each key, with its type and default": lambda: sweep.model("x")(with_init(starred)),
    "Mine: its keys cannot be read: name 'Nowhere' is not": lambda: sweep.model("x")(with_init(unknown_name)),
    "Bare: family.bins: has no default; write bins: int = ...": lambda: sweep.family("x")(bare()),
}


@pytest.mark.parametrize(("said", "made"), WRONG.items(), ids=list(WRONG))
def test_twelve_classes_that_do_not_fit_get_a_line_each(said, made):
    with pytest.raises(ValueError, match=said) as caught:
        made()
    assert "\n" not in str(caught.value)
    assert models.foreign() == sources.foreign() == families.foreign() == []


def test_a_row_of_a_family_does_not_take_the_name_of_another(monkeypatch):
    monkeypatch.setattr("sweep.registry.families._classes", dict(families._classes))

    @sweep.family("mine")
    class Mine(Representation):
        ROWS = {"cqt-48": {}}

    with pytest.raises(ValueError, match="^family mine: another row has the name of its row cqt-48; choose another$"):
        registered_rows()


@pytest.mark.parametrize("wrong", ["model", "family", "compression", "source"])
def test_a_run_checks_its_classes_before_it_trains(wrong, tmp_path, small_set):
    """Each is checked before the data are read, which are missing here; a source when the sweep is planned."""

    @sweep.model("mine")
    class Mine(Model):
        def __init__(self, features, bias=None):
            super().__init__(features)
            self.layer = torch.nn.Linear(features.bins, 88)

        def forward(self, features):
            return {"frames": self.layer(features.mean(dim=(1, 3)))[:, None]}

    @sweep.family("shifted")
    class Shifted(Filtered):
        def bank(self):
            return [440.0], [np.ones(100)], [-50 if self.hop_length == 512 else 0]

        def definition(self, audio):
            return 2 * super().definition(audio)

    @sweep.compression("twice")
    class Twice(Compression):
        def __call__(self, x, frame_rate):
            return torch.cat([x, x], dim=2)

    @sweep.source("toy")
    class Toy(Source):
        def find(self, split):
            return [Pair("a", small_set / "train_data/1001.wav", self.root / "none.csv")], []

    words, said = {
        "model": (["model=mine"], r"model mine: logits of frames have shape \(2, 1, 88\): need \(2, 1, 128\)"),
        "family": (["representation=shifted"], "family shifted, row shifted: front-end and definition differ by 0.5"),
        "compression": (
            ["++representation.compression.name=twice"],
            "family cqt, row cqt-48: features of 16384 samples",
        ),
        "source": (["data=toy"], "source Toy: .*none.csv of recording a: no such file; let find return files that"),
    }[wrong]
    root = [f"data.root={small_set if wrong == 'source' else tmp_path / 'nowhere'}"]
    config = make_config(*(["data=folder"] if wrong != "source" else []), *root, f"runs={tmp_path}", *words)
    with pytest.raises(ValueError, match=said) as caught:
        fingerprinted(config.data) if wrong == "source" else run_alone(config)
    assert "\n" not in str(caught.value)


class Broken(Source):
    def find(self, split):
        return [1 / 0]


def test_a_source_that_fails_is_named_when_the_sweep_is_planned(tmp_path):
    sweep.source("broken")(Broken)
    with pytest.raises(ValueError, match=r'source Broken: find\("train"\) raises ZeroDivisionError') as caught:
        fingerprinted(make_config("data=broken", f"data.root={tmp_path}").data)
    assert "\n" not in str(caught.value)


def test_a_run_whose_class_was_edited_after_it_was_planned_is_refused(tmp_path):
    sweep.model("mine")(plain())
    config = make_config("model=mine", f"runs={tmp_path}")
    with pytest.raises(ValueError, match="model.name mine: its code has changed since this run was planned"):
        run_alone(replace(config, code={"model.name": "another"}))


def test_a_script_does_not_take_the_name_of_an_installed_class(tmp_path, monkeypatch):
    about = tmp_path / "reed-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: reed\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sweep.models]\nglance = reed.models:Glance\n")
    monkeypatch.syspath_prepend(tmp_path)
    _entry_points.cache_clear()
    try:
        with pytest.raises(ValueError, match="^model.name glance: the installed reed has this name; choose another$"):
            sweep.model("glance")(plain())
    finally:
        _entry_points.cache_clear()


def test_a_pickled_configuration_brings_the_module_of_its_classes(tmp_path, monkeypatch):
    """As a notebook's processes get it, which import nothing that the notebook has imported."""
    code = "import sweep\nfrom sweep.data.source import Source\n@sweep.source('elsewhere')\nclass Else(Source): ...\n"
    (tmp_path / "elsewhere_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("elsewhere_module")
    config = make_config("data=elsewhere", f"data.root={tmp_path}")
    (tmp_path / "pickled").write_bytes(pickle.dumps(config))
    code = "import pickle; print(pickle.load(open('pickled', 'rb')).data.source)"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.stdout == "elsewhere\n", ended.stderr
