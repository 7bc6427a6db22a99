"""`sweep transcribe RUN AUDIO...`: transcribes audio files with a trained run and writes the notes."""

import argparse
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sweep.checks import check_number, check_share, check_whole
from sweep.commands.outputs import add_files, check_paths, for_each
from sweep.files import NOTES, from_user
from sweep.names import say
from sweep.representations.clock import ESTIMATE_EVERY
from sweep.results.metrics import METRICS
from sweep.results.notes import GAP, SHORTEST
from sweep.results.result import Result
from sweep.results.scoring import said
from sweep.transcribe.notes import outputs
from sweep.transcribe.trained import find_run, load_transcriber

if TYPE_CHECKING:
    from sweep.training.hearing import Thresholds

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
        "--onset-threshold",
        type=float,
        help="probability above which a note begins, for a model with an onset head (default: the run's)",
    )
    parser.add_argument(
        "--hop",
        type=float,
        help="samples at 44,100 Hz between a window model's frames; more is faster and coarser (default: "
        f"{ESTIMATE_EVERY}, 11.6 ms); those of a model that sees segments are its row's",
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
    for name in ("threshold", "onset_threshold"):
        if getattr(arguments, name) is not None:
            check_share(f"--{name.replace('_', '-')}", getattr(arguments, name))
    for name in ("gap", "shortest"):
        check_number(f"--{name}", getattr(arguments, name), 0)
    hop = arguments.hop
    if hop is not None:
        check_number("--hop", hop, 0)
        check_whole("--hop", int(hop) if hop == int(hop) else hop)
    stretch = _stretch(arguments.picture)
    run, why = find_run(arguments.run, arguments.metric)
    paths = {file: outputs(file, arguments.out, NOTES) for file in arguments.audio}
    check_paths(paths, arguments.out)
    transcriber, representation, result = load_transcriber(run, arguments.device)
    from sweep.data.covering import by_windows
    from sweep.transcribe.transcribe import Ear, transcribe  # imports matplotlib

    thresholds = _thresholds(arguments, result)
    if hop is not None and transcriber.segmental:
        told = f"--hop {hop:g}: {run} has a model that sees segments"
        raise ValueError(f"{told}, whose frames are its row's; leave it out")
    covering = transcriber.covering(representation.sample_rate)
    if hop is not None:
        covering = by_windows(transcriber.protocol.window, int(hop), representation.sample_rate)
    ear = Ear(transcriber, representation, result.row, thresholds, covering, arguments.gap, arguments.shortest)
    console = Console(highlight=False)
    why = why or f"accuracy {said(result.scores.get('accuracy'))}"
    demo = "; trained on the synthetic demo set" * (result.source == "demo")
    say(console, f"{run}: {why}{demo}")

    def work(file: Path, own: dict[str, Path]) -> str:
        began = time.perf_counter()
        told = transcribe(file, ear, own, stretch)
        return f"{told} in {time.perf_counter() - began:.1f} s: {own['csv'].with_suffix('')}.csv, .mid, .png"

    return for_each("sweep transcribe", paths, work)


def _thresholds(arguments: argparse.Namespace, result: Result) -> "Thresholds":
    """Return the thresholds of the command line, or where they are not given those of the run.

    Raises:
        ValueError: an onset threshold is given for a model without an onset head.
    """
    from sweep.training.hearing import Thresholds

    frames = result.threshold if arguments.threshold is None else arguments.threshold
    onsets = result.onset_threshold
    if arguments.onset_threshold is not None:
        if onsets is None:
            told = f"--onset-threshold {arguments.onset_threshold:g}"
            raise ValueError(f"{told}: {result.model} has no onset head; leave it out")
        onsets = arguments.onset_threshold
    return Thresholds(frames, onsets)


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
