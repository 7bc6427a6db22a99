"""Measures the ways back beside other libraries', on music: how near they come and how long they take.

python -m experiments.inverse.measure [--device cpu] [--rounds 5] [ROOT] writes results-DEVICE.csv and prints tables.
Each method inverts what its own library's transform gives of the same clips. Signal-to-error ratio: that of the clip
and of what comes back, in dB, with the clips' ends and without 4,096 samples of them. Convergence: the distance of the
magnitude (or of the bands) of what comes back from what was given, as a share of it. All are medians over the clips.
"""

import argparse
import csv
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from experiments.inverse import peers, tables
from experiments.speed import timing
from experiments.speed.measure import describe_machine
from experiments.speed.peers import not_importable, reason
from sweep.data.reading import read_split
from sweep.data.sources.demo import make_demo
from sweep.training import machine

CLIPS, SECONDS, ENDS = {"cpu": 2, "cuda": 16}, 2.0, 4096
COLUMNS = (
    "part", "settings", "method", "package", "n_iter", "ratio_db", "inner_ratio_db", "convergence", "magnitude_error",
    "ms", "q1", "q3", "setup_s", "clips", "seconds", "music", "device", "machine", "threads", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One transform and its clips, (clips, samples) float32."""

    part: str
    settings: str
    numbers: dict
    clips: torch.Tensor


def music(root: Path, rate: int, count: int, device: torch.device) -> torch.Tensor:
    """(count, samples) float32: clips of the test recordings at a rate, at even distances."""
    recordings = read_split(root, "test", sample_rate=rate)
    length, clips = int(SECONDS * rate), []
    for place in range(count):
        audio = np.asarray(recordings[place % len(recordings)].audio, dtype=np.float32).reshape(-1)
        start = (len(audio) - length) * (1 + place // len(recordings)) // (2 + count // len(recordings))
        clips.append(torch.from_numpy(audio[start : start + length].copy()))
    return torch.stack(clips).to(device)


def cases(root: Path, count: int, device: torch.device) -> list[Case]:
    """The settings of librosa's test of its icqt, librosa's and nnAudio's defaults, and the defaults here."""
    at = {rate: music(root, rate, count, device) for rate in (22050, 44100)}
    keys = ("sample_rate", "hop_length", "n_bins", "bins_per_octave")
    constant_q = (
        ("22.05 kHz, hop 256, 36 per octave", (22050, 256, 252, 36)),
        ("22.05 kHz, hop 512, 12 per octave", (22050, 512, 84, 12)),
        ("44.1 kHz, hop 512, 12 per octave", (44100, 512, 84, 12)),
    )
    found = [Case("constant-Q", name, dict(zip(keys, it, strict=True)), at[it[0]]) for name, it in constant_q]
    found.append(Case("Griffin-Lim", "44.1 kHz, n_fft 2048, hop 512", {"n_fft": 2048, "hop_length": 512}, at[44100]))
    found.append(Case("mel", "22.05 kHz, 128 bands, power", {"sample_rate": 22050, "n_mels": 128}, at[22050]))
    return found


def ratio(x: torch.Tensor, y: torch.Tensor, ends: int) -> float:
    """The median signal-to-error ratio of clips, in dB."""
    x, y = (part.double().cpu()[:, ends : part.shape[1] - ends] for part in (x, y))
    return statistics.median((10 * torch.log10(x.square().sum(1) / (x - y).square().sum(1))).tolist())


def share(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The median distance of values from what they should be, as a share of these."""
    actual, expected = (part.detach().cpu().flatten(1) for part in (actual, expected))
    return statistics.median(((actual - expected).norm(dim=1) / expected.norm(dim=1)).tolist())


def scores(case: Case, result: torch.Tensor) -> dict:
    """How near a result comes."""
    if case.part == "constant-Q":
        return {"ratio_db": ratio(case.clips, result, 0), "inner_ratio_db": ratio(case.clips, result, ENDS)}
    if case.part == "Griffin-Lim":
        front_end = peers.stft(case.numbers)
        return {"convergence": share(front_end(result), front_end(case.clips))}
    mel, magnitude = peers.mel(case.numbers), peers.mel_stft(case.numbers)(case.clips)
    bank = torch.from_numpy(mel._bank).to(result)
    bands = bank @ result[..., mel.used, :].square()
    return {"convergence": share(bands, mel(case.clips)), "magnitude_error": share(result, magnitude)}


def measure(case: Case, rounds: int, budget: float, common: dict) -> list[dict]:
    """A row for each method, in turn timed; where it cannot run, with the reason."""
    device, rows, works = case.clips.device, [], {}
    for method in peers.METHODS[case.part]:
        row = {**common, "part": case.part, "settings": case.settings, "method": method.name, "n_iter": method.n_iter}
        row |= {"package": peers.version(method.package), "reason": method.refuses(case.settings, device.type)}
        row["reason"] = row["reason"] or not_importable(method.modules) or ""
        rows.append(row)
        if row["reason"]:
            continue
        try:
            made: list[Callable] = []
            row["setup_s"] = round(timing.seconds(lambda m=method, to=made: to.append(m.build(case)), device), 2)
            row |= {key: round(value, 4) for key, value in scores(case, made[0]()).items()}
            works[len(rows) - 1] = made[0]
        except Exception as error:  # a library raises what it likes
            row["reason"] = f"fails: {reason(error)}"
    for place, times in timing.in_turn(works, device, rounds, budget).items():
        rows[place] |= dict(zip(("ms", "q1", "q3"), timing.spread(times), strict=True))
    return rows


def main() -> None:
    """Measure all, write the rows and print them."""
    parser = argparse.ArgumentParser(prog="python -m experiments.inverse.measure", description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path("data/demo"), help="folder in MusicNet's layout")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=5, help="of timings, of which the median counts")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds after which three timings are enough")
    parser.add_argument("--clips", type=int, help="default: 2, on CUDA 16")
    parser.add_argument("--out", type=Path, help="default: results-<device>.csv beside this file")
    options = parser.parse_args()
    if options.root == Path("data/demo"):
        make_demo(options.root)
    device = machine.choose_device(options.device)
    count = options.clips or CLIPS[device.type]
    common = {
        "clips": count, "seconds": SECONDS, "device": device.type, "machine": describe_machine(device),
        "threads": torch.get_num_threads(), "music": "demo" if options.root == Path("data/demo") else options.root.name,
    }  # fmt: skip
    rows = []
    with torch.no_grad():
        for case in cases(options.root, count, device):
            rows += measure(case, options.rounds, options.budget, common)
    out = options.out or Path(__file__).with_name(f"results-{device.type}.csv")
    with out.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    print(tables.report(out))


if __name__ == "__main__":
    main()
