"""Kapre's and tf.signal's rows: they run in an environment and a process of their own, on the same clips."""

import dataclasses
import json
import math
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

from experiments.speed.entries import CORRELATION, FEW, correlation
from experiments.speed.peers_outside_torch import kind
from experiments.speed.workloads import Case

SCRIPT = Path(__file__).with_name("tensorflow_peer.py")
DEFAULT = Path(".venv-tensorflow/bin/python")
NOTES = {
    "Kapre": "padded for it, as it does not centre frames; Mel of magnitudes, not powers",
    "tf.signal": "padded for it, as it does not centre frames; Mel: librosa's bank as a product",
}
KEYS = ("n_fft", "hop_length", "sample_rate", "n_mels", "f_min", "f_max")


def tensorflow_rows(chosen: list[Case], clips: dict, device: str, options, common: dict) -> list[dict]:
    """A row per case and peer: times, or the reason why there are none."""
    python = options.tensorflow or DEFAULT
    if not python.exists():
        why = "no environment with TensorFlow: --tensorflow names its Python"
        return [_row(case, name, common, options) | {"reason": why} for case in chosen for name in NOTES]
    with tempfile.TemporaryDirectory() as folder:
        answers, why = _ask(Path(folder), python, chosen, clips, device, options)
        rows = []
        for index, case in enumerate(chosen):
            for name in NOTES:
                row = _row(case, name, common, options)
                answer = answers.get(f"{index}-{name}", {"reason": why})
                output = Path(folder, f"{index}-{name}.npy")
                if output.exists():
                    answer |= _compared(np.load(output), case, name, clips[case.workload][:FEW])
                rows.append(row | answer)
    return rows


def _row(case: Case, name: str, common: dict, options) -> dict:
    return common | {
        "workload": case.workload,
        "size": case.size,
        "samples": case.samples,
        "frames": case.frames,
        "row": case.name,
        "family": case.representation.family,
        "bins": case.representation.n_bins,
        "front_end": name,
        "mode": "float32",
        "note": NOTES[name],
        "reason": "",
        "floor_ms": round(1e3 * case.bytes_moved / options.bandwidth, 5),
    }


def _ask(folder: Path, python: Path, chosen: list[Case], clips: dict, device: str, options) -> tuple[dict, str]:
    """Run the script on these cases; its answers, and what is wrong where one is missing."""
    for workload, tensor in clips.items():
        np.save(folder / f"{workload}.npy", tensor.numpy())
    questions = []
    for case in chosen:
        r = case.representation
        numbers = {f.name: getattr(r, f.name) for f in dataclasses.fields(r) if f.name in KEYS}
        numbers |= {"workload": case.workload, "batch": case.batch, "passes": case.passes, "kind": kind(r)}
        questions.append(numbers)
    plan = {
        "device": device,
        "threads": torch.get_num_threads(),
        "rounds": options.rounds,
        "budget": options.budget,
        "few": FEW,
        "cases": questions,
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    # Not resolved: an environment's python is a link, and what it links to knows nothing of the environment.
    done = subprocess.run([python.absolute(), SCRIPT, folder], capture_output=True, text=True)
    answers = folder / "answers.json"
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return (json.loads(answers.read_text()) if answers.exists() else {}), f"its process failed: {last[:160]}"


def _compared(output: np.ndarray, case: Case, name: str, few: torch.Tensor) -> dict:
    numbers = {"power": 1.0} if name == "Kapre" and case.representation.family == "mel" else {}
    expected = dataclasses.replace(case.representation, **numbers).transform(accuracy="exact")(few).numpy()
    try:
        value = correlation(output, expected)
    except ValueError as error:
        return {"reason": str(error)} | dict.fromkeys(("forward_ms", "both_ms"), "")
    if math.isnan(value) or value < CORRELATION:
        why = f"it computes something else: correlation {value:.2f}"
        return {"correlation": round(value, 5), "reason": why} | dict.fromkeys(("forward_ms", "both_ms"), "")
    return {"correlation": round(value, 5)}
