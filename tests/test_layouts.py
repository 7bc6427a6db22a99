"""What is asked of a folder before a run: its layout, its fingerprint, and the parts of it that are needed."""

from dataclasses import replace

import pytest
from configs import make_config
from test_maestro import COLUMNS, write_csv, write_midi
from test_portions import recording

from sweep.commands import parser
from sweep.config.elsewhere import OtherSet
from sweep.data.source import layout_of
from sweep.scheduling.plan import fingerprinted
from sweep.training.run import labels_of

SIGNS = {
    "maestro-v3.0.0.csv": "maestro",
    "maestro-v2.0.0.json": "maestro",
    "annotation/00_BN1-129-Eb_comp.jams": "guitarset",
    "test/Track01876/metadata.yaml": "slakh",
    "ENSTDkCl/MUS/MAPS_MUS-bk_xmas1_ENSTDkCl.wav": "maps",
    "MAPS/ENSTDkCl/MUS/MAPS_MUS-bk_xmas1_ENSTDkCl.wav": "maps",
    "train_data/1727.wav": "musicnet",
    "train/a.wav": "folder",
    "notes.txt": "folder",
}


@pytest.mark.parametrize("name", SIGNS)
def test_the_layout_of_a_folder_is_seen_from_what_it_holds(name, tmp_path):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("")
    assert layout_of(tmp_path) == SIGNS[name]


def test_keys_are_checked_for_the_layout_that_a_folder_has(tmp_path, capsys):
    for split in ("train", "test"):
        recording(tmp_path / split, split, 3, len(split))
    assert parser.main(["data", str(tmp_path), "data.pedal=true"]) == 0
    said = capsys.readouterr().out
    assert "read as data=folder data.pedal=True" in said and "sustained while the pedal" in said
    assert parser.main(["data", str(tmp_path), "labels=midi"]) == 2
    assert "data.labels (midi): unknown key" in capsys.readouterr().err


def test_training_recordings_of_a_set_that_is_only_scored_do_not_count(tmp_path):
    for split in ("train", "test"):
        recording(tmp_path / "home" / split, split, 3, len(split))
    recording(tmp_path / "other/test", "t", 3, 9)
    home = make_config("data=folder", f"data.root={tmp_path / 'home'}").data
    other = OtherSet(name="other", source="folder", root=str(tmp_path / "other"))

    def of_other():
        fingerprinted.cache_clear()
        return fingerprinted(replace(home, test=(other,))).test[0].fingerprint

    before = of_other()
    recording(tmp_path / "other/train", "more", 3, 10)
    assert of_other() == before
    recording(tmp_path / "other/test", "another", 4, 11)
    assert of_other() != before


def test_a_fault_of_the_part_that_a_set_holds_out_is_said_at_planning(tmp_path):
    rows = []
    for number, split in enumerate(("train", "validation", "test")):
        recording(tmp_path / "2018", split, 3, number)
        write_midi(tmp_path / f"2018/{split}.midi", number)
        files = f"2018/{split}.midi", f"2018/{split}.wav"
        rows.append(dict(zip(COLUMNS, ("Berg", f"Op. {number}", split, 2018, *files, 3.0), strict=True)))
    write_csv(tmp_path, rows)
    shared = make_config("data=maestro", f"data.root={tmp_path}", "data.validation=0.1").data
    own = replace(shared, validation="own")
    fingerprinted.cache_clear()
    assert fingerprinted(own).fingerprint == fingerprinted(shared).fingerprint
    (tmp_path / "2018/validation.midi").unlink()
    fingerprinted.cache_clear()
    with pytest.raises(ValueError, match=r"validation.midi: no such file, but maestro-v3.0.0.csv lists it"):
        fingerprinted(own)


def test_a_table_says_by_how_much_labels_are_moved(tmp_path):
    data = make_config("data=folder", f"data.root={tmp_path}").data
    assert labels_of(data).endswith("the pedal is not followed.")
    assert labels_of(replace(data, shift=0.02)).endswith(" All labels are moved 20 ms later.")
    assert labels_of(replace(data, shift=-0.035)).endswith(" All labels are moved 35 ms earlier.")
