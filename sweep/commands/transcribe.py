"""`sweep transcribe RUN AUDIO...`: transcribes audio files with a trained run and writes the notes."""

import argparse
import math
import time
from pathlib import Path

from rich.console import Console

from sweep.checks import check_number, check_share, check_whole
from sweep.commands.outputs import add_files, check_paths, for_each
from sweep.files import NOTES, from_user
from sweep.names import say
from sweep.results.metrics import METRICS
from sweep.results.notes import GAP, SHORTEST
from sweep.results.scoring import said
from sweep.transcribe.notes import outputs
from sweep.transcribe.trained import find_run, load_transcriber

HOP_LENGTH = 512  # samples, librosa's default
LONGEST = 300  # longest stretch of a picture, in seconds; its pixels are then 0.2 s wide


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Write, for each audio file, the notes that a trained run hears in it, as <name>.notes.csv and\n"
        "<name>.notes.mid, and <name>.notes.png, a picture of spectrogram, probabilities and notes.\n"
        "Exits 0 where all was transcribed, 1 where a file was not, 2 where the command line is wrong."
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        type=from_user,
        help="folder of a run that is done; or of a sweep, such as runs/demo/quick: then its best run",
    )
    add_files(parser)
    parser.add_argument(
        "--metric", choices=METRICS, help="score of the best run of a sweep (default: that of the sweep's last command)"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="(default: auto)")
    parser.add_argument("--threshold", type=float, help="probability above which a note sounds (default: the run's)")
    parser.add_argument(
        "--hop",
        type=float,
        default=HOP_LENGTH,
        help=f"samples at 44,100 Hz between frames; more is faster and coarser (default: {HOP_LENGTH}, 11.6 ms)",
    )
    parser.add_argument(
        "--gap", type=float, default=GAP, help=f"seconds up to which a gap in a note is closed (default: {GAP})"
    )
    parser.add_argument(
        "--shortest", type=float, default=SHORTEST, help=f"seconds that a note lasts at least (default: {SHORTEST})"
    )
    parser.add_argument(
        "--picture",
        metavar="FROM:TO",
        default="0:30",
        help=f"seconds of the audio to draw, at most {LONGEST} (default: 0:30)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Transcribe all files; return 0 if all were transcribed, 1 if some were not.

    Raises:
        ValueError: nothing could be transcribed; the message names the option or file, the value and the remedy.
    """
    if arguments.threshold is not None:
        check_share("--threshold", arguments.threshold)
    for name in ("hop", "gap", "shortest"):
        check_number(f"--{name}", getattr(arguments, name), 0)
    check_whole("--hop", int(arguments.hop) if arguments.hop == int(arguments.hop) else arguments.hop)
    stretch = _stretch(arguments.picture)
    run, why = find_run(arguments.run, arguments.metric)
    paths = {file: outputs(file, arguments.out, NOTES) for file in arguments.audio}
    check_paths(paths, arguments.out)
    transcriber, representation, result = load_transcriber(run, arguments.device)
    from sweep.transcribe.transcribe import Ear, transcribe  # imports matplotlib

    threshold = result.threshold if arguments.threshold is None else arguments.threshold
    rules = (threshold, int(arguments.hop), arguments.gap, arguments.shortest)
    ear = Ear(transcriber, representation, result.row, *rules)
    console = Console(highlight=False)
    why = why or f"accuracy {said(result.scores.get('accuracy'))}"
    demo = "; trained on the synthetic demo set" * (result.source == "demo")
    say(console, f"{run}: {why}{demo}")

    def work(file: Path, own: dict[str, Path]) -> str:
        began = time.perf_counter()
        told = transcribe(file, ear, own, stretch)
        return f"{told} in {time.perf_counter() - began:.1f} s: {own['csv'].with_suffix('')}.csv, .mid, .png"

    return for_each("sweep transcribe", paths, work)


def _stretch(text: str) -> tuple[float, float]:
    """Parse FROM:TO into its two ends in seconds."""
    first, _, last = text.partition(":")
    try:
        ends = float(first), float(last)
    except ValueError:
        ends = math.nan, math.nan
    if not 0 <= ends[0] < ends[1] <= ends[0] + LONGEST:
        raise ValueError(f"--picture {text}: needs FROM:TO in seconds, at most {LONGEST} apart")
    return ends
