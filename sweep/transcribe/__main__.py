"""python -m sweep.transcribe RUN AUDIO...: writes the notes that a trained run hears in audio files."""

import argparse
import os
import sys
import time
from pathlib import Path

from rich.console import Console

from sweep.checks import check_choice, check_whole
from sweep.files import NOTES
from sweep.settings import DEVICES, check_share
from sweep.transcribe.notes import GAP, SHORTEST, outputs
from sweep.transcribe.trained import find_run, load_transcriber
from sweep.words import split_keys

HOP_LENGTH = 512  # samples, librosa's default
LONGEST = 300  # seconds of a picture: its pixels are then 0.2 s wide
KEYS = {
    "out": "folder for the files, made if there is none (default: beside each audio file)",
    "device": "auto, cpu or cuda (default: auto)",
    "threshold": "probability above which a note sounds (default: the run's)",
    "hop": f"samples at 44,100 Hz between frames; more is faster and coarser (default: {HOP_LENGTH}, 11.6 ms)",
    "gap": f"seconds up to which a gap in a note is closed (default: {GAP})",
    "shortest": f"seconds that a note lasts at least (default: {SHORTEST})",
    "picture": f"seconds of the audio to draw, FROM:TO, at most {LONGEST} (default: 0:30)",
}


def main() -> int:
    """Runs the command line.

    Returns:
        0 where all was transcribed, 1 where some audio was not, 2 with one line on stderr where nothing could be.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sweep.transcribe",
        description="Writes, for each audio file, the notes that a trained run hears in it, as <name>.notes.csv and "
        "<name>.notes.mid, and <name>.notes.png, a picture of spectrogram, probabilities and notes.",
        epilog="\n".join(["keys:", *(f"  {key}={' ' * (10 - len(key))} {what}" for key, what in KEYS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "run",
        metavar="RUN",
        type=Path,
        help="folder of a run that is done; or of a sweep, such as runs/demo/quick or runs/demo/quick/best: then its "
        "run of the highest accuracy",
    )
    parser.add_argument("audio", metavar="AUDIO", nargs="+", help="a file that libsndfile reads, or KEY=VALUE")
    given = parser.parse_args()
    try:
        words, keys = split_keys(given.audio, KEYS)
        audio, options = [Path(word) for word in words], _options(keys)
        if not audio:
            raise ValueError("no audio file is named")
        return _transcribe(given.run, audio, options)
    except (OSError, ValueError) as error:
        print(f"sweep.transcribe: {error}", file=sys.stderr)
        return 2


def _options(given: dict[str, str]) -> dict:
    """The keys' values, with their defaults, checked.

    Raises:
        ValueError: names the key, the value and the remedy.
    """
    out, device = given.get("out"), given.get("device", "auto")
    check_choice("device", device, DEVICES)
    threshold = None
    if "threshold" in given:
        threshold = _number(given, "threshold")
        check_share("threshold", threshold)
    first, _, last = given.get("picture", "0:30").partition(":")
    try:
        stretch = float(first), float(last)
    except ValueError:
        stretch = 0.0, 0.0
    if not (0 <= stretch[0] < stretch[1] <= stretch[0] + LONGEST):
        raise ValueError(f"picture={given['picture']}: needs FROM:TO in seconds, at most {LONGEST} apart")
    hop, gap, shortest = (_number(given, *pair) for pair in (("hop", HOP_LENGTH), ("gap", GAP), ("shortest", SHORTEST)))
    check_whole("hop", int(hop) if hop == int(hop) else hop)
    rules = {"threshold": threshold, "hop_length": int(hop), "gap": gap, "shortest": shortest}
    return {"out": Path(out) if out else None, "device": device, "stretch": stretch, "rules": rules}


def _number(given: dict[str, str], key: str, default: float = 0.0) -> float:
    try:
        number = float(given.get(key, default))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError(f"{key}={given[key]}: needs a number of at least 0")
    return number


def _transcribe(asked: Path, audio: list[Path], options: dict) -> int:
    console = Console(highlight=False, soft_wrap=True)
    run, why = find_run(asked)
    paths = {file: outputs(file, options["out"], NOTES) for file in audio}
    check_paths(paths, options["out"])
    transcriber, representation, result = load_transcriber(run, options["device"])
    from sweep.transcribe.transcribe import Ear, transcribe  # and with it matplotlib

    rules = options["rules"]
    if rules["threshold"] is None:
        rules["threshold"] = result["threshold"]
    name = "+".join(filter(None, (result["representation"], result["variant"])))
    ear = Ear(transcriber, representation, name, **rules)
    why = why or f"accuracy {result['scores']['accuracy'] or 0:.3f}"
    demo = "; trained on the synthetic demo set" * (result["config"]["data"]["source"] == "demo")
    console.print(f"{run}: {why}{demo}", markup=False)
    failed = False
    for file in audio:
        began = time.perf_counter()
        try:
            told = transcribe(file, ear, paths[file], options["stretch"])
        except (OSError, ValueError) as error:
            failed = True
            print(f"sweep.transcribe: {error}", file=sys.stderr)
            continue
        written = f"{paths[file]['csv'].with_suffix('')}.csv, .mid, .png"
        console.print(f"{file}: {told} in {time.perf_counter() - began:.1f} s: {written}", markup=False)
    return int(failed)


def check_paths(paths: dict[Path, dict[str, Path]], out: Path | None) -> None:
    """Make the folder if one is asked for, and see that all can be written and nothing twice, before hours of work.

    Raises:
        ValueError: two files have one name, or a folder cannot be written.
    """
    taken: dict[Path, Path] = {}
    for file, own in paths.items():
        other = taken.setdefault(own["csv"].absolute(), file)
        if other != file:
            raise ValueError(f"{other} and {file}: both would be written to {own['csv']}; give them two calls")
    try:
        if out:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out={out}: cannot be made ({error.strerror}); choose another folder") from None
    for folder in {own["csv"].parent for own in paths.values()}:
        if folder.is_dir() and not os.access(folder, os.W_OK):
            raise ValueError(f"{folder}: cannot be written; choose another folder with out=DIR")


if __name__ == "__main__":
    sys.exit(main())
