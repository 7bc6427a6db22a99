"""The same recording in both splits is found in every layout, format, rate and level; another take is none."""

import io
import os
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
import soxr
import torch
from configs import make_config
from own_recordings import HEADER
from rich.console import Console

from sweep.data import likeness
from sweep.data.composition import ENSEMBLES, compose
from sweep.data.likeness import correlation, print_of
from sweep.data.reading import read
from sweep.data.recording import DataError, Pair, Remark
from sweep.data.report import report
from sweep.data.source import Source
from sweep.data.sources.folder import Folder
from sweep.data.synthesis import render
from sweep.registry import sources
from sweep.training.loading import UnreadableError, load

RATE = 44100


def piece(seed: int, late: float = 0.0) -> np.ndarray:
    """Six seconds of the demo set's kind; in another take each note comes `late` seconds earlier or later, about."""
    notes = compose(ENSEMBLES[1], 6.0, np.random.default_rng(seed))
    shifts = np.round(np.random.default_rng(99).normal(0, late * RATE, len(notes))).astype(int)
    notes = [
        replace(note, start=max(0, note.start + shift), end=note.end + shift)
        for note, shift in zip(notes, shifts.tolist(), strict=True)
    ]
    return render(notes, 6 * RATE, np.random.default_rng([seed, late > 0])).astype(np.float32)


@pytest.fixture(scope="module")
def music() -> np.ndarray:
    return piece(1)


def put(path: Path, audio: np.ndarray, rate: int = RATE, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, **options)
    path.with_suffix(".csv").write_text(HEADER + "0,9,60\n")
    return path


def resampled(audio: np.ndarray, rate: int) -> np.ndarray:
    return soxr.resample(audio, RATE, rate)


COPIES = {
    "flac": lambda x: (x, RATE, "flac"),
    "mp3": lambda x: (x, RATE, "mp3"),
    "mp3 at 22 kHz": lambda x: (resampled(x, 22050), 22050, "mp3"),
    "ogg": lambda x: (x, RATE, "ogg"),
    "opus": lambda x: (resampled(x, 48000), 48000, "opus"),
    "16 kHz": lambda x: (resampled(x, 16000), 16000, "wav"),
    "8 kHz": lambda x: (resampled(x, 8000), 8000, "wav"),
    "quieter": lambda x: (0.05 * x, RATE, "wav"),
    "upside down": lambda x: (-x, RATE, "wav"),
    "0.4 s cut off": lambda x: (x[17_000:], RATE, "wav"),
    "a second of silence before": lambda x: (np.concatenate([np.zeros(RATE, np.float32), x]), RATE, "wav"),
    "cut, quieter, mp3": lambda x: (0.3 * x[3333:-9999], RATE, "mp3"),
    "stereo": lambda x: (np.stack([x, 0.5 * x], 1), RATE, "wav"),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_in_the_other_split_is_an_error(tmp_path, music, copy):
    first = put(tmp_path / "train/a.wav", music)
    put(tmp_path / "train/b.wav", piece(2))
    samples, rate, ending = COPIES[copy](music)
    options = {"format": "OGG", "subtype": "OPUS"} if ending == "opus" else {}
    second = put(tmp_path / f"test/c.{ending}", samples, rate, **options)
    line = f"{second}: the same audio as {first}: a recording belongs into one split, remove one of the two"
    assert report(tmp_path, "folder", Console(quiet=True)) == [line]
    with pytest.raises(DataError, match="the same audio as"):
        read(tmp_path, "folder")


def test_other_takes_and_pieces_are_no_copies(tmp_path, music):
    """Another take: the same notes, each up to some 10 ms earlier or later, and other noise."""
    put(tmp_path / "train/a.wav", music)
    put(tmp_path / "train/silent end.wav", np.concatenate([piece(3), np.zeros(5 * RATE, np.float32)]))
    silence = np.zeros(55 * RATE, np.float32)  # the twenty seconds in the middle are silent in both
    put(tmp_path / "train/silent middle.wav", np.concatenate([piece(3)[: 5 * RATE], silence]))
    put(tmp_path / "test/silent middle too.wav", np.concatenate([piece(4)[: 5 * RATE], silence]))
    put(tmp_path / "test/take.wav", piece(1, late=0.01))
    put(tmp_path / "test/other.wav", np.concatenate([piece(4), np.zeros(5 * RATE, np.float32)]))
    assert report(tmp_path, "folder", Console(quiet=True)) == []
    splits, remarks = read(tmp_path, "folder")
    assert [len(part) for part in splits.values()] == [3, 3] and remarks == []


def test_a_copy_in_the_same_split_is_a_remark(tmp_path, music):
    first = put(tmp_path / "train/a.wav", music)
    second = put(tmp_path / "train/b.ogg", music)
    put(tmp_path / "test/c.wav", piece(2))
    _, (remark,) = read(tmp_path, "folder")
    said = f"{second}: the same audio as {first}, so it counts twice: remove one of the two"
    assert isinstance(remark, Remark) and remark == said
    stream = io.StringIO()
    assert report(tmp_path, "folder", Console(file=stream)) == [] and f"1 remark:\n{said}\n" in stream.getvalue()


def test_musicnets_layout_is_checked_too(tmp_path, music):
    for split, name, audio in (("train", "1", music), ("train", "2", piece(2)), ("test", "3", 0.5 * music)):
        path = put(tmp_path / f"{split}_data/{name}.flac", audio)
        (tmp_path / f"{split}_labels").mkdir(exist_ok=True)
        path.with_suffix(".csv").rename(tmp_path / f"{split}_labels/{name}.csv")
    said = f"{tmp_path}/test_data/3.flac: the same audio as {tmp_path}/train_data/1.flac"
    assert [line.startswith(said) for line in report(tmp_path, None, Console(quiet=True))] == [True]
    with pytest.raises(DataError, match="the same audio as"):
        read(tmp_path, "musicnet")


class Flat(Source):
    """A source that somebody registers, whose recordings all have one id."""

    RESAMPLES = True

    def find(self, split):
        pairs, problems = Folder(self.root).find(split)
        return [Pair("one", pair.audio, pair.labels) for pair in pairs], problems


def test_a_source_of_ones_own_is_checked_too(tmp_path, music, monkeypatch):
    monkeypatch.setitem(sources._classes, "flat", Flat)
    put(tmp_path / "train/a.wav", music)
    put(tmp_path / "test/c.flac", music)
    put(tmp_path / "test/d.wav", piece(2))
    second, third, leak = report(tmp_path, "flat", Console(quiet=True))
    assert second == f"{tmp_path}/test/c.flac: another recording of test is called 'one' too: rename one of the two"
    assert third.startswith(f"{tmp_path}/test/d.wav: ")
    assert leak.startswith(f"{tmp_path}/test/c.flac: the same audio as {tmp_path}/train/a.wav")


def test_steady_tones_are_compared_sample_by_sample(tmp_path):
    tone = np.round(9000 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)).astype(np.int16)
    put(tmp_path / "train/a.wav", tone)
    put(tmp_path / "test/b.wav", tone[:-RATE])
    assert not any("same audio" in line for line in report(tmp_path, "folder", Console(quiet=True)))
    put(tmp_path / "test/c.flac", tone)
    assert any("test/c.flac: the same audio as" in line for line in report(tmp_path, "folder", Console(quiet=True)))


def test_the_correlation_is_that_of_its_formula():
    """Of two waveforms within the band, one later than the other: a share of the energy is shared."""
    rng = np.random.default_rng(0)
    common, own = (np.repeat(rng.standard_normal(5000), 40).astype(np.float32) for _ in range(2))
    assert correlation(common[800:], -3 * common[:-300], RATE) == pytest.approx(1, abs=0.01)
    assert correlation(common, own, RATE) < 0.1
    assert correlation(common, common + own, RATE) == pytest.approx(0.5**0.5, abs=0.05)
    assert correlation(np.zeros(9000, np.int16), np.zeros(9000, np.int16), RATE) == 0


def test_a_training_says_what_may_be_missing_and_refuses_a_copy(tmp_path, music, capsys):
    """Notes that were cut or merged are for `sweep data` alone; a key that never came up is a wrong label."""
    put(tmp_path / "train/a.wav", piece(2)).with_suffix(".csv").write_text(HEADER + "0,9,60\n3,99999999,60\n")
    midi = put(tmp_path / "train/b.wav", piece(3)).with_suffix(".mid")
    midi.with_suffix(".csv").unlink()
    track = mido.MidiTrack([mido.Message("note_on", note=60), mido.MetaMessage("text", time=9)])
    mido.MidiFile(tracks=[track]).save(midi)
    put(tmp_path / "test/c.wav", music)
    os.symlink("gone", tmp_path / "train/lost.wav")
    config = make_config("data=folder", f"data.root={tmp_path}", "data.cache=null").data
    load(config, 44100, torch.device("cpu"), Console(quiet=True))
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path}/train/lost.wav: a link that leads nowhere: mend or remove it",
        f"notes without a key up, ended with their track: 1; the first: {midi}: instrument 1 (Acoustic Grand Piano): "
        "note 60 at 0.000 s",
    ]
    put(tmp_path / "train/d.flac", 0.5 * music)
    with pytest.raises(UnreadableError, match="test/c.wav: the same audio as"):
        load(replace(config, fingerprint="another"), 44100, torch.device("cpu"), Console(quiet=True))


def test_a_copy_is_found_among_more_hashes_than_are_compared(tmp_path, music, monkeypatch):
    prints = [print_of(part, RATE) for part in (music, resampled(piece(2), RATE), piece(3), 0.3 * music[3333:-9999])]
    number = sum(len(one.hashes) for one in prints)
    monkeypatch.setattr(likeness, "MOST", number // 4)
    assert likeness._candidates(prints) == [(0, 3)]
