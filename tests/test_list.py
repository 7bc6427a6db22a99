"""`sweep list`: all that can be chosen, and the keys of one of it."""

import dataclasses
import os
import subprocess
import sys

import pytest
import yaml
from configs import make_config
from conftest import ALL_34, ROOT, read_grid

from sweep.commands import parser
from sweep.commands.list import GROUPS, keys, options
from sweep.config import rows as rows_of_conf

CONF = ROOT / "conf"


def listed(capsys, *arguments: str) -> dict[str, dict[str, str]]:
    """What `sweep list` prints: by group, each name and what is said of it."""
    assert parser.main(["list", *arguments]) == 0
    found: dict[str, dict[str, str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if not line.startswith(" "):
            heading = line
            found[heading] = {}
        elif not line.startswith("   "):  # otherwise more about the line above
            name, _, about = line.strip().partition(" ")
            found[heading][name] = about.strip()
    return found


def test_all_that_can_be_chosen_is_listed_with_a_sentence(capsys):
    found = listed(capsys)
    assert list(found) == ["representation=", "model=", "data=", "protocol=", "+grid="]
    for group, heading in zip(GROUPS, found, strict=True):
        assert set(found[heading]) == {path.stem for path in (CONF / group).glob("*.yaml")}
        assert found[heading] == {name: " ".join(about.split(" ")) for name, about in options(group).items()}
        for name, about in found[heading].items():
            assert len(about) > 10, (heading, name)


def test_representations_are_listed_in_the_order_of_a_table(capsys):
    (rows,) = listed(capsys, "representation").values()
    paper = [row.name for row in ALL_34]
    assert [name for name in rows if name in paper] == paper
    assert list(rows)[list(rows).index("cqt-288") :][1:4] == ["vqt-12", "vqt-24", "vqt-36"]
    texts = {name: (CONF / "representation" / f"{name}.yaml").read_text() for name in rows}
    told = [name for name in rows if texts[name].startswith(f"# {rows[name]}\n")]  # those whose base is no family's
    assert told == sorted(told) == list(rows)[-len(told) :] and set(read_grid("systems")) < set(told)
    for row in ALL_34:
        own = yaml.safe_load((CONF / "representation" / f"{row.name}.yaml").read_text())
        del own["defaults"]
        assert all(f"{key}={value}" in rows[row.name] for key, value in own.items())
        assert rows[row.name].startswith(type(row).__doc__.splitlines()[0])


@pytest.mark.parametrize("group", GROUPS)
def test_one_group_can_be_listed(capsys, group):
    (heading,) = listed(capsys, group)
    assert heading.strip("+=") == group


def test_every_listed_option_composes():
    for group in ("model", "protocol", "data"):
        for name in options(group):
            more = ["data.root=mine"] if "\nroot: ???" in (CONF / group / f"{name}.yaml").read_text() else []
            config = make_config(f"{group}={name}", *more)
            assert getattr(config, group).name == name or group == "data"


def test_published_data_sets_are_listed_with_size_licence_and_place(capsys):
    assert parser.main(["list", "data"]) == 0
    lines = capsys.readouterr().out.splitlines()
    more = {lines[at - 1].split()[0]: line for at, line in enumerate(lines) if line.startswith("   ")}
    assert set(more) == {name for name in options("data") if name not in ("demo", "folder")}
    cells = {name: [cell for cell in line.split("  ") if cell] for name, line in more.items()}
    assert all(len(row) == 3 for row in cells.values())
    size, licence, place = (cell.strip() for cell in cells["musicnet"])
    assert "330 recordings" in size and "11.1 GB" in size and licence == "CC BY 4.0"
    assert place == "sweep download, from https://zenodo.org/records/5120004"
    # In columns, the first under the sentences.
    for column, row in enumerate(zip(*cells.values(), strict=True)):
        starts = {line.index(cell.strip()) for line, cell in zip(more.values(), row, strict=True) if column != 1}
        assert len(starts) <= 1 and (column or starts == {20}), column
    found = printed(capsys, "data", "musicnet")
    assert (found["size"][0], found["licence"][0], found["where"][0]) == (size, licence, place)
    assert "size" not in printed(capsys, "data", "folder") and "size" not in printed(capsys, "data", "demo")


def test_an_unknown_group_is_answered_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as caught:
        parser.main(["list", "colours"])
    assert caught.value.code == 2 and "'representation', 'model'" in capsys.readouterr().err


def printed(capsys, *arguments: str) -> dict[str, tuple[str, str]]:
    """What `sweep list GROUP NAME` prints: of each key its value, and what is said of it."""
    assert parser.main(["list", *arguments]) == 0
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.lstrip("+").startswith("=".join(arguments))
    cells = [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in lines]
    return {key: (value, " ".join(about)) for key, value, *about in cells}


def test_the_keys_of_a_row_are_listed_with_their_values(capsys):
    found = printed(capsys, "representation", "mel-2048-128")
    own = {"n_fft": 2048, "n_mels": 128, "f_max": 6000.0, "pad_mode": "reflect"}
    own |= {"compression.name": "log", "compression.offset": 1e-5, "triangles": "hz"}
    for key, value in own.items():
        assert yaml.safe_load(found[f"representation.{key}"][0]) == value, key
    assert found["representation.n_fft"][1] == "even whole number: Length of a frame in samples."
    assert found["representation.pad_mode"][1].startswith("constant, reflect: Padding beyond the ends")
    assert "representation.name" not in found


@pytest.mark.parametrize("name", ["vqt-12", "cqt-24", "gammatone-64", "mfcc-20", "mt3", "leaf"])
def test_no_key_of_a_row_is_left_out(name):
    """Nor those that came later, which a run's record leaves out where they have their defaults."""
    found = {key: yaml.safe_load(value) for key, value, _, _ in keys("representation", name)}
    listed = {key.split(".")[1] for key in found}
    declared = {field.name for field in dataclasses.fields(rows_of_conf.row(name)) if "key" in field.metadata}
    assert listed == declared - {"name"}
    if name in ("vqt-12", "cqt-24"):
        assert (found["representation.filter_scale"], found["representation.basis_norm"]) == (1.0, 1)


def test_the_keys_of_a_protocol_are_listed_with_those_for_segments(capsys):
    found = printed(capsys, "protocol", "quick")
    assert found["protocol.steps"] == ("100", "whole number, at least 1: Optimiser steps.")
    assert found["protocol.segments.steps"] == ("500", "whole number, at least 1: Optimiser steps.")
    assert found["protocol.segments.augment.gain"][0] == found["protocol.augment.mask_bins"][0] == "0"


def test_the_keys_of_a_model_of_a_data_set_and_of_a_grid_are_listed(capsys):
    found = printed(capsys, "model", "conv")
    assert found["model.channels"] == ("16", "int: channels of the first convolutions.")
    assert found["model.sees"][0] == "segment" and printed(capsys, "model", "cnn")["model.sees"][0] == "window"
    found = printed(capsys, "data", "folder")
    assert found["data.root"] == ("???", "a folder: Folder of the recordings.")
    assert found["data.source"][0] == "folder" and found["data.validation"][0] == "${protocol.validation}"
    assert printed(capsys, "grid", "smoke")["representation"][0] == "linear-256,log-256,mel-512-128,cqt-12"


@pytest.mark.parametrize("group", GROUPS)
def test_the_keys_of_every_option_can_be_listed(group):
    some = ("linear-256", "log-256", "cqt-12", "mt3", "omnizart", "madmom-rnn", "leaf", "sincnet")  # of each family
    for name in some if group == "representation" else options(group):
        found = keys(group, name)
        assert found and all(value for _, value, _, _ in found)
        assert all(said for _, _, _, said in found) or group == "grid", name


def test_an_unknown_option_is_answered_with_those_there_are(capsys):
    assert parser.main(["list", "model", "lstm"]) == 2
    assert capsys.readouterr().err == "sweep list: model 'lstm': choose one of cnn, conv, crnn, linear\n"


OWN = '''
import sys

import sweep
from sweep.commands import parser
from sweep.data.source import Source
from sweep.representations import Representation
from sweep.training.model import Model


@sweep.model
class Mine(Model):
    """Two layers.

    Args:
        features, bias: arguments of every model.
        hidden: width of the
            first layer.
    """

    LEARNING_RATE = 0.01

    def __init__(self, features, bias=None, hidden: int = 64, kind: str | None = None):
        super().__init__(features, bias)


@sweep.source
class Toy(Source):
    """Toys.

    Args:
        root: folder.
        half: half that is read.
    """

    def __init__(self, root, half: str = "first"):
        super().__init__(root)


@sweep.family("glass")
class Glass(Representation):
    """Glass."""

    n_bins: int = 12
    """Number of bins."""
    gamma: float = 2.5
    ROWS = {"glass-24": {"n_bins": 24, "hop_length": 256}}

    def measure(self):
        return {"frequencies": [100.0 * k for k in range(1, self.n_bins + 1)], "context": 4}


for words in sys.argv[1:]:
    print(f"> {words}", parser.main(["list", *words.split()]), flush=True)
'''


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> dict[str, list[str]]:
    """What a script with classes of its own prints, by the arguments of `list`; a broken package is installed."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(OWN)
    (folder / "broken_models.py").write_text("import nothing_of_this_name\n")
    (folder / "broken-1.0.dist-info").mkdir()
    (folder / "broken-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    points = "\n".join(f"[sweep.{kind}]\nbroken = broken_models:It" for kind in ("models", "families", "sources"))
    (folder / "broken-1.0.dist-info" / "entry_points.txt").write_text(points)
    words = ["model", "data", "representation", "model mine", "data toy", "representation glass-24", "model broken"]
    command = [sys.executable, "mine.py", *words, "representation broken"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment(folder))
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in ran.stdout.splitlines():
        if line.startswith("> "):
            words, _, status = line.removeprefix("> ").rpartition(" ")
            found[words] = [*lines, status]
            lines = []
        else:
            lines.append(line)
    return {**found, "errors": ran.stderr.splitlines()}


def environment(folder) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "COLUMNS": "200"}


def test_classes_from_outside_are_listed_with_their_keys(own):
    assert "  mine              Two layers. hidden=64, kind=null" in own["model"]
    assert "  toy               Toys. half=first" in own["data"]
    assert "  glass             Glass. n_bins=12, gamma=2.5" in own["representation"]
    assert "  glass-24          Glass. n_bins=24, gamma=2.5" in own["representation"]


def test_a_package_that_cannot_be_imported_says_so_in_its_line_alone(own):
    why = "package broken cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'"
    for group in ("model", "data", "representation"):
        assert f"  broken            {why}" in own[group] and own[group][-1] == "0"
    assert own["errors"] == [
        f"sweep list: model.name broken: {why}",
        f"sweep list: family broken: {why}",
    ]
    assert own["model broken"] == own["representation broken"] == ["2"]


def test_the_keys_of_a_class_from_outside_are_listed(own):
    heading, *lines = own["model mine"]
    assert heading == "model=mine Two layers. hidden=64, kind=null"
    assert [line.split(maxsplit=2) for line in lines[:2]] == [
        ["model.hidden", "64", "int: width of the first layer."],
        ["model.kind", "null", "str | None"],
    ]
    assert lines[3].split(maxsplit=2)[:2] == ["model.learning_rate", "0.01"]
    assert "  data.half        first                   str: half that is read." in own["data toy"]
    assert own["data toy"][2].split(maxsplit=2)[:2] == ["data.source", "toy"]
    found = {words[0]: words[1:] for line in own["representation glass-24"] if (words := line.split(maxsplit=2))}
    assert found["representation.n_bins"] == ["24", "int: Number of bins."]
    assert found["representation.gamma"] == ["2.5", "float"] and found["representation.hop_length"][0] == "256"
