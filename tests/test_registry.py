"""Names of models, families and data sources: looked up when they are asked for, each once, their keys checked."""

import subprocess
import sys

import pytest
from configs import make_config
from conftest import ROOT

from sweep.data.source import Source
from sweep.registry import Registry, check_options, families, models, options_of, sources
from sweep.representations import Representation


@pytest.fixture
def registry(tmp_path, monkeypatch) -> Registry:
    """A registry of a package of two modules, one class each."""
    package = tmp_path / "animals"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from sweep.registry import Registry\nanimals = Registry('animal', 'animals')\n"
    )
    for name in ("cat", "dog"):
        code = f"from animals import animals\n@animals.register({name!r})\nclass Animal:\n    pass\n"
        (package / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    import animals

    yield animals.animals
    for name in [name for name in sys.modules if name.partition(".")[0] == "animals"]:
        del sys.modules[name]


def test_names_are_those_of_the_packages_modules():
    assert models.names() == ["cnn", "conv", "crnn", "linear"]
    assert sorted(sources.names()) == ["demo", "folder", "guitarset", "maestro", "maps", "mirdata", "musicnet", "slakh"]
    assert sorted(families.names()) == [
        "cfp",
        "cqt",
        "gammatone",
        "leaf",
        "linear",
        "log",
        "log_bands",
        "mel",
        "sincnet",
        "vqt",
    ]
    assert all(issubclass(families[name], Representation) for name in families.names())
    assert all(issubclass(sources[name], Source) for name in sources.names())
    assert models["linear"].__name__ == "Linear" and "linear" in models and "lstm" not in models


def test_a_class_is_found_by_its_name_and_its_module_imported_then(registry):
    assert "cat" in registry and "animals.cat" not in sys.modules  # naming it imports nothing
    assert registry["cat"].__module__ == "animals.cat"
    assert registry.names() == ["cat", "dog"]


def test_a_class_of_ones_own_registers_beside_them(registry):
    @registry.register("my-bird")
    class Bird:
        pass

    assert registry["my-bird"] is Bird and "my-bird" in registry
    assert registry.names() == ["cat", "dog", "my-bird"]


def test_a_name_belongs_to_one_class(registry):
    cat = registry["cat"]
    with pytest.raises(ValueError, match=r"animal cat: animals\.cat has this name; choose another"):
        registry.register("cat")(type("Other", (), {}))
    assert registry["cat"] is cat
    # The same class again, as from a module that is imported anew.
    again = type(cat.__name__, (), {"__module__": cat.__module__, "__qualname__": cat.__qualname__})
    assert registry.register("cat")(again) is again and registry["cat"] is again


@pytest.mark.parametrize("name", ["cow", "", "no such", "cat.dog", "__init__", None, 3, ["cat"]])
def test_an_unknown_name_is_answered_with_those_there_are(registry, name):
    assert name not in registry
    with pytest.raises(ValueError) as caught:
        registry[name]
    assert str(caught.value) == f"animal {name!r}: choose one of cat, dog"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("++data.source=tape", "data.source 'tape': choose one of "),
        ("++representation.family=wavelet", "conf/representation/cqt-48.yaml: family 'wavelet': choose one of "),
    ],
)
def test_an_unknown_name_in_a_configuration(override, said):
    with pytest.raises(ValueError) as caught:
        make_config(override)
    assert str(caught.value).startswith(said)


def test_naming_a_model_imports_no_torch():
    """A configuration is checked in a second; a model is imported when it is built or has keys of its own."""
    code = (
        "import sys; sys.path.insert(0, 'tests'); from configs import make_config\n"
        "config = make_config('model=cnn', 'representation=mel-512-128')\n"
        "heavy = {'torch', 'lightning', 'mir_eval', 'pandas'}\n"
        "print(config.model.name, config.folder, sorted(heavy & set(sys.modules)))\n"
        "from sweep.registry import models\n"
        "print('linear' in models, 'torch' in sys.modules)\n"
        "print(models['cnn'].__name__, 'torch' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "cnn runs/demo/quick/cnn/mel-512-128/seed-0 []\nTrue False\nCNN True\n"


class Deep:
    """A model with keys of its own."""

    def __init__(self, n_bins, n_frames, bias=None, layers: int = 2, rate: float = 0.5, kind: str = "a", free=None):
        pass


def test_the_keys_of_a_class_are_the_arguments_that_it_is_not_given():
    given = ("n_bins", "n_frames", "bias")
    assert list(options_of(Deep, given)) == ["layers", "rate", "kind", "free"]
    check_options(Deep, given, {"layers": 3, "rate": 1, "kind": "b", "free": [1]}, "model.")
    check_options(Deep, given, {}, "model.")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"layer": 3}, "model.layer (3): unknown key; did you mean layers?"),
        ({"xyz": 3}, "model.xyz (3): unknown key; there is layers, rate, kind, free"),
        ({"n_bins": 3}, "model.n_bins (3): unknown key; there is layers, rate, kind, free"),  # not for a user to set
        ({"layers": "three"}, "model.layers 'three': needs a value of type int"),
        ({"layers": 2.5}, "model.layers 2.5: needs a value of type int"),
        ({"layers": True}, "model.layers True: needs a value of type int"),
        ({"rate": "fast"}, "model.rate 'fast': needs a value of type float"),
        ({"rate": False}, "model.rate False: needs a value of type float"),
        ({"kind": 3}, "model.kind 3: needs a value of type str; as text it is written 'model.kind=\"3\"'"),
    ],
)
def test_a_wrong_option_is_said_by_the_signature(options, said):
    with pytest.raises(ValueError) as caught:
        check_options(Deep, ("n_bins", "n_frames", "bias"), options, "model.")
    assert str(caught.value) == said


def test_a_models_keys_come_from_the_command_line_and_change_its_result(monkeypatch):
    monkeypatch.setitem(models._classes, "linear", Deep)
    monkeypatch.setitem(models._codes, "linear", "0")
    config = make_config("+model.layers=3")
    assert config.model.options == {"layers": 3} and config.record()["model"]["layers"] == 3
    assert config.identity["model.layers"] == 3 and type(config).from_tree(config.record()) == config
    assert (config.model_row, config.changed_elsewhere) == ("linear+layers=3", "")
    with pytest.raises(ValueError, match=r"model\.layers 'x': needs a value of type int"):
        make_config("+model.layers=x")
