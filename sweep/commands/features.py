"""`sweep features ROW AUDIO...`: computes what a row's model sees of audio files, as arrays and pictures."""

import argparse
import io
import sys
from pathlib import Path

import numpy as np

from sweep.commands.outputs import add_files, check_paths, for_each
from sweep.config.rows import row
from sweep.data.recording import DataError
from sweep.files import write_whole
from sweep.names import plain
from sweep.representations import Representation


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Compute what a model sees of each audio file: <name>.npz with the arrays\n"
        "  spectrogram   before compression, ([channels,] bins, frames)\n"
        "  features      after it, normalised and stacked, ([channels,] bins, frames)\n"
        "  frequencies   of the features' bins, in Hz\n"
        "  times         centres of the frames, in seconds\n"
        "and <name>.png, a picture. Files at the row's sample rate are not resampled; channels are averaged.\n"
        "Exits 0 where all was computed, 1 where a file was not, 2 where the command line is wrong."
    )
    parser.add_argument("row", metavar="ROW", help="a row, such as cqt-48 or mt3; `sweep list representation`")
    add_files(parser)
    parser.add_argument("--no-picture", action="store_true", help="write the arrays only")


def run(arguments: argparse.Namespace) -> int:
    """Compute the features of all files; return 0 if all were, 1 if some were not.

    Raises:
        ValueError: nothing could be computed; the message names the option or file, the value and the remedy.
    """
    chosen = row(arguments.row)
    for word in arguments.audio:
        if "=" in str(word) and not word.exists():
            raise ValueError(f"{word}: no such file; keys of a row are changed in a sweep, or in Python by sweep.row")
    kinds = ("npz",) if arguments.no_picture else ("npz", "png")
    paths = {
        file: {kind: (arguments.out or file.parent) / f"{file.stem}.{kind}" for kind in kinds}
        for file in arguments.audio
    }
    check_paths(paths, arguments.out)

    def work(file: Path, own: dict[str, Path]) -> str:
        return f"{_compute(file, chosen, own)}: {', '.join(map(str, own.values()))}"

    return for_each("sweep features", paths, work)


def _compute(file: Path, chosen: Representation, paths: dict[str, Path]) -> str:
    """Write the features of one file and say their shape."""
    import torch  # takes seconds to import, so errors in the command line come first

    audio = torch.from_numpy(_read(file, chosen.sample_rate))
    front_end = chosen.front_end(len(audio), accuracy="exact")
    with torch.inference_mode():
        found = {
            "spectrogram": front_end.spectrogram(audio[None])[0].squeeze(0).numpy(),
            "features": front_end(audio[None])[0].squeeze(0).numpy(),
            "frequencies": chosen.frequencies,
            "times": chosen.times(len(audio)),
        }
    content = io.BytesIO()
    np.savez(content, **found)
    write_whole(paths["npz"], content.getvalue())
    if "png" in paths:
        from sweep.report.seen import draw

        write_whole(paths["png"], draw(found["features"], chosen, len(audio), f"{file.name} as {chosen.name} sees it"))
    channels = f"{chosen.n_channels} channels, " * (chosen.n_channels > 1)
    return f"{channels}{chosen.bins:,} bins, {len(found['times']):,} frames"


def _read(file: Path, sample_rate: int) -> np.ndarray:
    """Read all of a file as mono at a sample rate, (samples,) float32, full scale 1."""
    from sweep.transcribe.listening import opened

    with opened(file) as sound:
        blocks = list(sound.blocks(sample_rate))
        if not blocks:
            if sound.seconds:
                raise DataError(f"{file}: too short, it has no sample at {sample_rate:,} Hz: choose a longer file")
            raise DataError(f"{file}: {sound.problem or 'holds no samples'}: download or convert it again")
        if sound.problem:
            print(plain(f"{file}: {sound.problem}; what comes before that was read"), file=sys.stderr)
    return np.concatenate(blocks)
