"""What `data.test` names: options, folders and mappings; what counts to a run's identity; what is wrong in one line."""

import json
import pickle
from pathlib import Path

import pytest
from configs import changed, make_config, make_result
from other_sets import make_other

import sweep
from sweep.config import RunConfig, differences
from sweep.results.result import read_result, write_result
from sweep.results.scoring import SCORES


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    return make_other(tmp_path_factory.mktemp("other") / "other")


def test_a_set_is_an_option_a_folder_or_a_mapping(other, small_set, tmp_path):
    root = make_other(tmp_path / "2024")
    words = f"data.test=[demo,{other},{{root: {small_set}, shift: 0.03, name: mine}},{{source: folder, root: {root}}}]"
    sets = make_config("data=musicnet", words).data.test
    named = [(one.name, one.source, one.root, one.shift) for one in sets]
    assert named == [
        ("demo", "demo", "data/demo", 0),
        ("other", "folder", str(other), 0),
        ("mine", "musicnet", str(small_set), 0.03),
        ("2024", "folder", str(root), 0),
    ]
    assert make_config("data.test=null").data.test == make_config().data.test == ()
    (alone,) = make_config(f"data.test={other}").data.test
    assert alone == sets[1]


def test_own_keys_of_a_set_are_those_of_its_source(forgotten, other, tmp_path):
    @sweep.source
    class Tapes(sweep.data.source.Source):
        """Tapes.

        Args:
            side: side of the tape.
        """

        def __init__(self, root, side: str = "a"):
            super().__init__(root)
            self.side = side

    def sides(*words: str) -> list:
        return [one.options for one in make_config(*words).data.test]

    assert sides(f"data.test={{source: tapes, root: {other}}}") == [{"side": "a"}]
    assert sides(f"data.test={{source: tapes, root: {other}, side: b}}") == [{"side": "b"}]
    with pytest.raises(ValueError, match=r"data\.test\.other\.side 3: needs a value of type str"):
        make_config(f"data.test={{source: tapes, root: {other}, side: 3}}")
    config = make_config(f"data.test={{source: tapes, root: {other}}}")
    assert list(config.code) == ["data.test.other.source"]
    assert differences(config.identity, changed(config, data__test__other__side="b").identity) == [
        'data.test.other.side: "a" -> "b"'
    ]


def test_a_record_reads_back_and_is_sent_to_other_processes(other):
    config = make_config(f"data.test=[demo,{{root: {other}, shift: 0.03}}]", "data=musicnet")
    assert RunConfig.from_tree(json.loads(json.dumps(config.record()))) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert {config.data: 1}[pickle.loads(pickle.dumps(config.data))] == 1


def test_what_counts_of_a_set(other):
    config = make_config(f"data.test={other}")
    base = config.identity
    assert changed(config, data__test__other__root="elsewhere").identity == base
    for key, value in (("shift", 0.1), ("fingerprint", "a"), ("pedal", True)):
        assert len(differences(base, changed(config, **{f"data__test__other__{key}": value}).identity)) == 1
    more = make_config(f"data.test=[{{root: {other}, name: root}},{other}]")
    assert differences(base, more.identity)[0] == 'data.test.root.source: (absent) -> "folder"'
    turned = make_config(f"data.test=[{other},{{root: {other}, name: root}}]")
    assert turned.identity == more.identity and turned.folder == config.folder


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "data.test=musicnte",
            "data.test musicnte: no such folder, and no such option of data; did you mean musicnet?",
        ),
        ("data.test=xyz", "data.test xyz: no such folder, and no such option of data; there is demo, folder, "),
        ("data.test=folder", "data.test folder: its root is missing; name its folder, {source: ..., root: DIR}"),
        ("data.test={source: folder}", "data.test {'source': 'folder'}: its root is missing; name its folder, "),
        ("data.test={root: /}", "data.test /: has no name of its own; give it one, {source: "),
        ("data.test=3", "data.test 3: needs null, the name of a data set, a folder, a mapping as {source: "),
        ("data.test=[[demo]]", "data.test ['demo']: needs null, the name of a data set"),
        ("data.test={root: /tmp, source: fold}", "data.test.tmp.source 'fold': choose one of demo, "),
        ("data.test={root: /tmp, hours: 3}", "data.test.tmp.hours (3): unknown key; there is name, source, root, "),
        ("data.test={root: /tmp, name: 3}", "data.test.3.name 3: needs text"),
        ("data.test=demo", "data.test demo: the set that is trained on has this name; give it another, {source: "),
        ("data.test=[/tmp,/tmp]", "data.test tmp: two sets have this name; give one another, {source: "),
    ],
)
def test_what_is_no_set_is_said_in_one_line(word, said):
    with pytest.raises(ValueError) as caught:
        make_config(word)
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"scores": {}, "recordings": {}, "labels": 3}, 'its labels on "other" are 3'),
        (3, 'its elsewhere is {"other": 3}'),
        ({"scores": {"accuracy": "high"}, "recordings": {}}, 'its scores on "other" are {"accuracy": "high"}'),
        ({"scores": {}, "recordings": {"p": 3}}, 'its recordings on "other" are {"p": 3}'),
        ({"scores": {}}, 'its recordings on "other" are null'),
        ({"recordings": {}}, 'its scores on "other" are null'),
        (
            {"scores": {}, "recordings": {"p": {"accuracy": "x"}}, "labels": ""},
            'of its scores on "other", accuracy of its recording',
        ),
        (
            {"scores": {}, "recordings": {"p": {"group": 3}}, "labels": ""},
            'of its scores on "other", group of its recording p is 3',
        ),
    ],
)
def test_damaged_scores_of_another_set(part, said, tmp_path):
    write_result(tmp_path, make_result())
    content = json.loads((tmp_path / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps(content | {"elsewhere": {"other": part}}))
    with pytest.raises(ValueError) as caught:
        read_result(tmp_path)
    assert f"result.json: damaged, {said}" in str(caught.value)
    whole = {"scores": dict.fromkeys(SCORES), "recordings": {"p": {"accuracy": None, "group": "duo"}}, "labels": ""}
    (tmp_path / "result.json").write_text(json.dumps(content | {"elsewhere": {"other": whole}}))
    assert read_result(tmp_path).elsewhere == {"other": whole}
