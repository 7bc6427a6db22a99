"""The scripts of docs/howto/sets.md, on folders in the shape of the data sets that they bring into data=folder."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from documented import DOCS, blocks
from scipy.io import savemat

from sweep.data.reading import read
from sweep.data.sources.folder import Folder
from sweep.testing import check_source

RATE = 44100  # of what is read
# By piece: for each stem, onset in s, frequency in Hz, duration in s.
URMP = {
    "01_Jupiter_vn_vc": ({"1_vn": [(0.25, 440.0, 0.5), (1.0, 667.3, 0.25)], "2_vc": [(0.5, 65.41, 1.0)]}),
    "02_Sonata_vn_vn": ({"1_vn": [(0.1, 880.5, 0.2)], "2_vn": [(0.15, 878.0, 0.3)]}),
    "24_Pirates_vn_vn_va_vc": ({"1_vn": [(0.0, 220.0, 0.5)]}),
    "25_Pirates_vn_vn_va_sax": ({"4_sax": [(0.5, 233.1, 0.5)]}),
}
# By piece: for each part, first and last frame, and the pitch in MIDI notes.
BACH10 = {
    "01-AchGottundHerr": [[(11, 60, 72.2), (61, 100, 73.9)], [(11, 100, 64.0)], [(21, 50, 60.4)], [(11, 110, 45.0)]],
    "07-HerrGott": [[(1, 30, 70.0)], [(1, 30, 65.0)], [(1, 30, 58.0)], [(1, 30, 46.0)]],
    "10-Nun": [[(5, 20, 71.0)], [(5, 20, 67.0)], [(5, 20, 62.0)], [(5, 20, 43.0)]],
}


def write_audio(path: Path, seed: int, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(seed).uniform(-0.5, 0.5, 2 * rate), rate)


def follow(script: str, source: Path, target: Path) -> dict[str, tuple[str, str, list[list[float]]]]:
    """What is read of the folder that a script of the page makes: split, group and notes in seconds, by recording."""
    [code] = [block.text for block in blocks(DOCS / "howto" / "sets.md") if block.title == script]
    path = source.parent / script
    path.write_text(code)
    subprocess.run([sys.executable, path, source, target], check=True, timeout=60)
    check_source(Folder, target)
    splits, remarks = read(target, "folder")
    assert not remarks or script == "urmp.py"  # where two violins play the same note
    return {
        recording.id: (split, recording.group, (recording.notes / (RATE, RATE, 1)).tolist())
        for split, part in splits.items()
        for recording in part
    }


def test_urmp(tmp_path):
    root = tmp_path / "Dataset"
    for seed, (piece, stems) in enumerate(URMP.items()):
        number, title, *_ = piece.split("_")
        write_audio(root / piece / f"AuMix_{piece}.wav", seed, 48_000)
        (root / piece / f"Sco_{piece}.mid").write_bytes(b"MThd")  # the score, which is not aligned
        for stem, notes in stems.items():
            write_audio(root / piece / f"AuSep_{stem}_{number}_{title}.wav", 99, 48_000)
            lines = [f"{onset:.4f}\t{frequency:.3f}\t{duration:.4f}\n" for onset, frequency, duration in notes]
            (root / piece / f"Notes_{stem}_{number}_{title}.txt").write_text("".join(lines))
    (root / "Supplementary_Files").mkdir()
    found = follow("urmp.py", root, tmp_path / "urmp")
    assert {id: content[:2] for id, content in found.items()} == {
        "AuMix_01_Jupiter_vn_vc": ("test", "Jupiter"),
        "AuMix_02_Sonata_vn_vn": ("train", "Sonata"),
        "AuMix_24_Pirates_vn_vn_va_vc": ("train", "Pirates"),
        "AuMix_25_Pirates_vn_vn_va_sax": ("train", "Pirates"),
    }
    expected = [[0.25, 0.75, 69], [0.5, 1.5, 36], [1.0, 1.25, 76]]
    assert np.allclose(found["AuMix_01_Jupiter_vn_vc"][2], expected, atol=0.001)
    assert np.allclose(found["AuMix_02_Sonata_vn_vn"][2], [[0.1, 0.3, 81], [0.15, 0.45, 81]], atol=0.001)


def cells(items: list) -> np.ndarray:
    """A column of MATLAB's cells."""
    found = np.empty((len(items), 1), dtype=object)
    for at, item in enumerate(items):
        found[at, 0] = item
    return found


def test_bach10(tmp_path):
    root = tmp_path / "Bach10"
    for seed, (name, parts) in enumerate(BACH10.items()):
        write_audio(root / name / f"{name}.wav", seed, RATE)
        (root / name / f"{name}.mid").write_bytes(b"MThd")
        (root / name / f"{name}.txt").write_text("123\t0\t72\t1\n")
        numbered = [
            cells(
                [
                    np.array([np.arange(first, last + 1), np.full(last - first + 1, pitch)])
                    for first, last, pitch in part
                ]
            )
            for part in parts
        ]
        savemat(root / name / f"{name}-GTNotes.mat", {"GTNotes": cells(numbered)})
    found = follow("bach10.py", root, tmp_path / "bach10")
    assert {id: content[:2] for id, content in found.items()} == {
        "01-AchGottundHerr": ("train", "bach10"),
        "07-HerrGott": ("train", "bach10"),
        "10-Nun": ("test", "bach10"),
    }
    # Frame 11 has its middle at 100 + 23 ms; frame 60 at 613 ms, and 10 ms more.
    expected = [[0.123, 0.623, 72], [0.623, 1.023, 74], [0.123, 1.023, 64], [0.223, 0.523, 60], [0.123, 1.123, 45]]
    assert np.allclose(found["01-AchGottundHerr"][2], sorted(expected), atol=0.001)
