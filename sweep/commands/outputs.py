"""Write files for each audio file of a command line: check first that they can be, and go on where one fails."""

import argparse
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from sweep.files import from_user
from sweep.names import plain, say


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the arguments AUDIO and --out."""
    parser.add_argument("audio", metavar="AUDIO", nargs="+", type=from_user, help="a file that libsndfile reads")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=from_user,
        help="folder for the files, made if there is none (default: beside the audio)",
    )


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


def for_each(command: str, paths: dict[Path, dict[str, Path]], work: Callable[[Path, dict[str, Path]], str]) -> int:
    """Do some work for each audio file; a file that fails costs itself only, and one line on stderr.

    Args:
        command: command for the line, such as "sweep features".
        paths: output paths of each audio file, by kind.
        work: function of an audio file and its paths that returns what was done, in words.

    Returns:
        The exit code: 0 if all was done, 1 if some was not.
    """
    console, failed = Console(highlight=False), False
    for file, own in paths.items():
        try:
            done = work(file, own)
        except (OSError, ValueError) as error:
            failed = True
            said = str(error) if str(file) in str(error) else f"{file}: {error}"
            print(plain(f"{command}: {said}"), file=sys.stderr)
        except (RuntimeError, MemoryError) as error:  # PyTorch's, without the file's name
            failed = True
            why = " ".join(str(error).split()) or "not enough memory"
            print(plain(f"{command}: {file}: {why}"), file=sys.stderr)
        else:
            say(console, f"{file}: {done}")
    return int(failed)
