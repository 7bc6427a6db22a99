"""Names of folders: made of any text, one folder deep, readable, and no two alike."""

import os
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

import pytest
from configs import changed, make_config
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sweep.names import folder_name, name_of_folder

ANY = st.text(st.characters(codec=None), max_size=40)
ODD = st.text(st.sampled_from("a/\\%+~.C:2F= \0\n\udcff曲"), max_size=6)  # where two names might meet
PARTS = st.lists(ANY | ODD, min_size=1, max_size=3)
QUICK = settings(max_examples=150, deadline=None, derandomize=True)


@QUICK
@given(PARTS)
@example([".."])
@example(["../../escape"])
@example(["con"])
@example(["NUL.txt"])
@example(["a "])
@example([""])
@example(["x" * 5000])
@example(["曲" * 90])
def test_a_name_is_one_folder_on_every_system(parts):
    name = folder_name(*parts)
    assert name and name.isprintable() and name not in (".", "..") and "/" not in name and not name.startswith(".")
    assert len(os.fsencode(name)) <= 255
    windows = PureWindowsPath(name)
    assert windows.parts == (name,) and not windows.is_reserved() and not set(name) & set('<>:"|?*')
    assert name[-1] not in ". "


@QUICK
@given(PARTS)
def test_a_name_that_is_not_cut_says_all_of_its_text(parts):
    name = folder_name(*parts)
    if "~" not in name and name != "%":
        assert [unquote(part, errors="surrogatepass") for part in name.split("+")] == parts


@QUICK
@given(st.lists(ODD, min_size=1, max_size=3), st.lists(ODD, min_size=1, max_size=3))
def test_two_texts_have_two_names(one, other):
    assert (folder_name(*one) == folder_name(*other)) == (one == other)


def test_two_long_texts_that_differ_at_their_end_have_two_names():
    long = "n" * 400
    names = {folder_name(long + end) for end in ("", "a", "b")}
    assert len(names) == 3 and folder_name(*names) not in names
    assert folder_name(folder_name(long)) != folder_name(long)  # a short text that looks like a name that was cut


@pytest.mark.parametrize(
    "text", ["cqt-48", "mel-4096-2048", "my set (2020)", "Müller, live [1]", "曲", "C#", "a=b", "$x"]
)
def test_a_usual_name_stays_as_it_is(text):
    assert folder_name(text) == text


def test_each_part_of_a_place_is_one_folder_whatever_it_is_called():
    config = make_config("data.root=data/demo", "runs=out")
    odd = changed(config, data__name="../../escape", protocol__name="mine/short")
    assert odd.table == Path("out/%2E.%2F..%2Fescape/mine%2Fshort")
    row = replace(config, changed={"representation.f_min": "440/16", "representation.window": "../../../../escape"})
    assert row.folder == Path("out/demo/quick/linear/cqt-48+f_min=440%2F16+window=..%2F..%2F..%2F..%2Fescape/seed-0")
    assert row.row == "cqt-48+f_min=440/16+window=../../../../escape"  # as text it stays what was typed
    long = replace(config, changed={"representation.f_min": "1" * 500})
    assert len(long.folder.parent.name) <= 255 and len(long.folder.parts) == len(config.folder.parts)
    for one, other in ((row, config), (long, config)):
        assert one.folder != other.folder


def test_bytes_and_halves_of_a_character_are_found_in_a_folders_name_again():
    for text in ("\udcff\ud800", "a\udcffb", "\udce9t\udce9"):
        assert name_of_folder(folder_name(text)) == text
    assert name_of_folder("%FFx") == "\\xffx"  # a folder of another hand
