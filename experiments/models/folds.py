"""Leaves out one training recording after the other: python -m experiments.models.folds DIR OUT.

DIR is a data set in MusicNet's layout. OUT/fold-1, fold-2, ... become data sets in the same layout, of links to its
files: in each another training recording is the test part, and the rest is trained on. Test recordings do not appear.
"""

import argparse
from pathlib import Path


def make_folds(root: Path, out: Path) -> list[Path]:
    """Make the folders; what is there already is kept.

    Args:
        root: data set in MusicNet's layout.
        out: folder of the folds.

    Returns:
        A folder for each training recording, in the order of their names.
    """
    recordings = sorted((root / "train_data").iterdir())
    folds = []
    for number, held_out in enumerate(recordings, 1):
        fold = out / f"fold-{number}"
        for audio in recordings:
            split = "test" if audio == held_out else "train"
            for path, kind in ((audio, "data"), (root / "train_labels" / f"{audio.stem}.csv", "labels")):
                link = fold / f"{split}_{kind}" / path.name
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(path.resolve())
        folds.append(fold)
    return folds


def main() -> None:
    """Make the folds, and print them as values of `data.root`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    print(",".join(map(str, make_folds(arguments.root, arguments.out))))


if __name__ == "__main__":
    main()
