"""Check the output files of commands that write some for each audio file."""

import errno
import os
import stat
from pathlib import Path


def check_paths(paths: dict[Path, dict[str, Path]], out: Path | None) -> None:
    """Make the output folder if one is given, and check before hours of work that every output can be written.

    Args:
        paths: output paths of each audio file, by kind.
        out: output folder; None to write beside the audio.

    Raises:
        ValueError: two audio files have the same output, or an output cannot be written.
    """
    taken: dict[Path, Path] = {}
    for file, own in paths.items():
        first = next(iter(own.values()))
        other = taken.setdefault(first.absolute(), file)
        if other != file:
            raise ValueError(f"{other} and {file}: both would be written to {first}; give them two calls")
    try:
        if out:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {out}: cannot be made ({error.strerror}); choose another folder") from None
    for folder in {path.parent for own in paths.values() for path in own.values()}:
        if folder.is_dir() and not os.access(folder, os.W_OK):
            raise ValueError(f"{folder}: cannot be written; choose another folder with --out DIR")
    for file, own in paths.items():
        for path in own.values():
            try:
                taken_by_folder = stat.S_ISDIR(path.stat().st_mode)
            except FileNotFoundError:
                continue
            except OSError as error:
                remedy = (
                    "rename the audio" if error.errno == errno.ENAMETOOLONG else "choose another folder with --out DIR"
                )
                raise ValueError(f"{file}: {path.name} cannot be written ({error.strerror}); {remedy}") from None
            if taken_by_folder:
                raise ValueError(f"{path}: is a folder; move it away, or choose another folder with --out DIR")
