"""`sweep download [DIR]`: downloads MusicNet, unpacks it and checks that it is complete."""

import argparse
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from sweep.data.download import ARCHIVE, ZENODO, get_musicnet
from sweep.files import from_user


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Fetch MusicNet (11.1 GB), unpack it (22 GB more) and check that all of it is there. An interrupted download\n"
        "resumes; a second call checks."
    )
    parser.add_argument(
        "root", nargs="?", default="data/musicnet", type=from_user, metavar="DIR", help="(default: data/musicnet)"
    )
    parser.add_argument("--url", default=ZENODO, metavar="BASE", help=f"address of the files (default: {ZENODO})")
    parser.add_argument("--keep-archive", action="store_true", help=f"do not delete {ARCHIVE.name} afterwards")


def run(arguments: argparse.Namespace, **musicnet: Any) -> int:
    """Download MusicNet.

    Args:
        arguments: parsed command line.
        musicnet: keyword arguments passed on to `get_musicnet`, which tests use for a small data set.

    Raises:
        ValueError: the download failed; the message names the file, the error and the remedy.
    """
    if not arguments.url.startswith(("http://", "https://")):
        raise ValueError(f"--url {arguments.url}: must begin with http:// or https://")
    console = Console(highlight=False)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    try:
        with Progress(TextColumn("{task.description}"), *columns, console=console) as progress:
            get_musicnet(arguments.root, arguments.url, arguments.keep_archive, progress=progress, **musicnet)
    except KeyboardInterrupt:
        console.print("stopped; the same command resumes the download")
        raise
    except OSError as error:
        remedy = "free some space or name a folder that can be written to; the same command then resumes the download"
        raise ValueError(f"{error.filename or arguments.root}: {error.strerror or error}: {remedy}") from None
    console.print(f"{arguments.root}: MusicNet is complete", markup=False, soft_wrap=True)
    return 0
