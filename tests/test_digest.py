"""What tells that the code of a class was edited, and what an edit does to a run."""

import importlib
import linecache
import textwrap

import pytest
from configs import make_config

import sweep
from sweep.registry import models
from sweep.registry.code import digest
from sweep.training.model import Model

pytestmark = pytest.mark.usefixtures("forgotten")


def defined(code: str, cell: str = "<cell 1>") -> dict:
    """What a cell of a notebook defines: its code is nowhere but in Python's cache of lines."""
    code = textwrap.dedent(code)
    linecache.cache.pop(cell, None)  # so that it is the last one
    linecache.cache[cell] = len(code), None, code.splitlines(keepends=True), cell
    space = {"__name__": "__main__", "sweep": sweep, "Model": Model}
    exec(compile(code, cell, "exec"), space)
    return space


CLASS = """
@sweep.model("mine")
class Mine(Model):
    \"\"\"Says nothing.\"\"\"

    def forward(self, x):
        return x + 1  # one more
"""


def test_an_edited_class_has_another_digest_and_an_edited_comment_has_not():
    first = defined(CLASS)["Mine"]
    assert len(digest(first)) == 16 and models["mine"] is first
    commented = (
        CLASS.replace("# one more", "# two").replace("nothing", "something").replace("return", "\n        return")
    )
    again = defined(commented, "<cell 2>")["Mine"]
    assert digest(again) == digest(first) and models["mine"] is again  # the cell ran anew
    edited = defined(CLASS.replace("+ 1", "+ 2"), "<cell 3>")["Mine"]
    assert digest(edited) != digest(first)


def test_an_edited_class_is_another_run():
    defined(CLASS)
    before = make_config("model=mine")
    defined(CLASS.replace("+ 1", "+ 2"), "<cell 3>")
    after = make_config("model=mine")
    assert before.folder == after.folder and before.identity != after.identity
    assert list(before.code) == ["model.name"] and make_config().code == {}
    assert before.identity["code.model.name"] != after.identity["code.model.name"] == models.code("mine")


def test_a_base_of_ones_own_counts_and_a_class_of_another_place_does_not():
    code = """
    class Base(Model):
        def forward(self, x):
            return x + 1

    class Mine(Base):
        width: int = 3
        "Width."

    class Other:
        class Mine:
            def forward(self, x):
                return x + 7
    """
    first = digest(defined(code)["Mine"])
    assert digest(defined(code.replace('"Width."', '"Its width."'), "<cell 2>")["Mine"]) == first
    assert digest(defined(code.replace("x + 7", "x + 8"), "<cell 3>")["Mine"]) == first
    assert digest(defined(code.replace("x + 1", "x + 2"), "<cell 4>")["Mine"]) != first
    assert digest(defined(code.replace("int = 3", "int = 4"), "<cell 5>")["Mine"]) != first


def test_a_module_that_is_edited_and_imported_anew_has_another_digest(tmp_path, monkeypatch):
    code = "import sweep\nfrom sweep.training.model import Model\n@sweep.model\nclass Mine(Model):\n    width = 3\n"
    (tmp_path / "edited.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("edited")
    before = models.code("mine")
    (tmp_path / "edited.py").write_text(code.replace("width = 3", "width = 4000"))
    assert models.code("mine") == before  # what runs is what was imported
    importlib.reload(module)
    assert models.code("mine") != before
