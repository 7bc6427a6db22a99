"""How far each accuracy lies from the float64 definition, in relative L2 and in decibels: all rows, six kinds of clips.

The reference is the direct engine in float64, which tests/test_definition.py holds to sums written out there (1e-14).
Clips are windows of the protocol's length: the four signals of experiments/correctness, a sine with another one 80 dB
below it, and places in recordings.
"""

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch

from experiments.correctness.signals import chromatic_scale, impulse, linear_sweep, logarithmic_sweep
from experiments.rows import rows
from sweep.data.recording import SAMPLE_RATE
from sweep.data.sources.demo import make_demo
from sweep.engines import ACCURACIES
from sweep.representations import Representation
from sweep.training import machine

CHOICES = {"direct": {"engine": "direct"}, **{name: {"accuracy": name} for name in ACCURACIES}}
SIGNALS = ("linear sweep", "logarithmic sweep", "impulse", "chromatic scale")
CLIPS = (*SIGNALS, "two sines", "music")
COLUMNS = ("device", "machine", "accuracy", "representation", "error", *CLIPS)
DEMO, WINDOW, PLACES = Path("data/demo"), 16_384, 4  # samples of a window; windows of a recording
HERE = Path(__file__).parent


def two_sines(samples: int = WINDOW) -> np.ndarray:
    """A sine of 1 kHz and one of 1.5 kHz, 80 dB below it."""
    t = np.arange(samples) / SAMPLE_RATE
    return np.sin(2 * np.pi * 1000 * t) + 1e-4 * np.sin(2 * np.pi * 1500 * t)


def music(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    """Windows of every recording of 44.1 kHz, equally far apart."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.*")))]
    for file in files:
        if file.suffix in (".wav", ".flac") and soundfile.info(file).samplerate == SAMPLE_RATE:
            samples, _ = soundfile.read(file, dtype="float32", always_2d=True)
            for start in np.linspace(0, len(samples) - WINDOW, PLACES + 2)[1:-1].astype(int):
                yield samples[start : start + WINDOW].mean(axis=1)


def clips(paths: Iterable[Path]) -> torch.Tensor:
    """(5 + windows of music, WINDOW) float32, in the order of CLIPS."""
    seconds = WINDOW / SAMPLE_RATE
    scale = chromatic_scale()[60_000 : 60_000 + WINDOW]
    made = [linear_sweep(seconds), logarithmic_sweep(seconds), impulse(seconds), scale, two_sines()]
    found = [*made, *music(paths)]
    if len(found) == len(made):
        raise ValueError(f"{', '.join(map(str, paths))}: no WAV or FLAC file of 44.1 kHz; name recordings or folders")
    return torch.from_numpy(np.stack(found).astype(np.float32))


@torch.inference_mode()
def measure(row: Representation, x: torch.Tensor) -> Iterator[dict]:
    """Measure one row at each accuracy.

    Args:
        row: the row.
        x: `clips`, on the device to measure.

    Yields:
        The accuracy's name, the relative L2 error on the worst music, and for each kind of clip by how many dB the
        worst bin's error lies below the loudest bin.
    """
    expected = row.transform(engine="direct")(x.double())
    for choice, options in CHOICES.items():
        front_end = row.transform(**options)
        values, root = front_end(x).double(), 1 / front_end.exponent
        l2 = (values - expected).flatten(1).norm(dim=1) / expected.flatten(1).norm(dim=1)
        errors = (values**root - expected**root).flatten(1).abs().amax(1)
        below = 20 * torch.log10((expected**root).flatten(1).amax(1) / errors)
        each = [*below[: len(CLIPS) - 1].tolist(), below[len(CLIPS) - 1 :].min().item()]
        yield {"accuracy": choice, "error": f"{l2[len(CLIPS) - 1 :].max():.2g}"} | {
            clip: f"{value:.1f}" for clip, value in zip(CLIPS, each, strict=True)
        }


def report(paths: Iterable[Path]) -> str:
    """Write the worst of the rows as a table, from the files that there are."""
    lines = ["| | relative L2, music | four signals | two sines | music |", "| --- |" + " ---: |" * 4]
    for path in paths:
        table = pd.read_csv(path)
        table["four"] = table[[*SIGNALS]].min(axis=1)
        for choice, part in table.groupby("accuracy", sort=False):
            worst = part.loc[part.error.idxmax()]
            cells = [f"{worst.error:.1e} ({worst.representation})"]
            for column in ("four", "two sines", "music"):
                row = part.loc[part[column].idxmin()]
                signal = f", {row[[*SIGNALS]].astype(float).idxmin()}" if column == "four" else ""
                cells.append(f"{row[column]:.0f} dB ({row.representation}{signal})")
            lines.append(f"| {choice}, {'CUDA' if part.device.iloc[0] == 'cuda' else 'CPU'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def results() -> list[Path]:
    """The files of results, the CPU's first."""
    return sorted(HERE.glob("results-c*.csv"))


def main() -> None:
    """Measure, write results-<device>.csv and print the table of all such files."""
    parser = argparse.ArgumentParser(prog="python -m experiments.accuracy.measure", description=__doc__.splitlines()[0])
    parser.add_argument("music", nargs="*", type=Path, help="recordings or folders of them (default: the demo set)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--rows", help="comma-separated; default: all 34")
    parser.add_argument("--out", type=Path, help="default: results-<device>.csv beside this file")
    options = parser.parse_args()
    try:
        device = machine.choose_device(options.device)
        if not options.music:
            make_demo(DEMO)
        x = clips(options.music or [DEMO / "test_data"]).to(device)
    except ValueError as error:
        sys.exit(f"experiments.accuracy: {error}")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    out = options.out or HERE / f"results-{device.type}.csv"
    with open(out, "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows():
            if not options.rows or row.name in options.rows.split(","):
                start = {"device": device.type, "machine": name, "representation": row.name}
                table.writerows(start | line for line in measure(row, x))
    print(report([out] if options.out else results()))


if __name__ == "__main__":
    main()
