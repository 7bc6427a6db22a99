"""Times Kapre and tf.signal, in an environment of TensorFlow's own: `python tensorflow_peer.py FOLDER`.

FOLDER holds plan.json (what to time and how) and the clips, <workload>.npy; answers.json and the first results of each
peer are written there. Nothing of this repository is imported: its dependencies are not installed beside TensorFlow.
"""

import ctypes
import importlib.metadata
import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf


def build_tf_signal(case: dict):
    """tf.signal.stft and abs, or its square times a Mel bank; compiled into a graph."""
    if case["kind"] in ("linear", "log", "cqt"):
        raise ValueError("has no such transform")
    n_fft, hop = case["n_fft"], case["hop_length"]
    bank = None
    if case["kind"] == "mel":
        from librosa.filters import mel

        bank = mel(sr=case["sample_rate"], n_fft=n_fft, n_mels=case["n_mels"], fmin=case["f_min"], fmax=case["f_max"])
        bank = tf.constant(bank.T)

    @tf.function
    def spectrogram(x):
        padded = tf.pad(x, [[0, 0], [n_fft // 2, n_fft // 2]], "REFLECT")
        magnitude = tf.abs(tf.signal.stft(padded, n_fft, hop, window_fn=tf.signal.hann_window))
        return magnitude if bank is None else tf.square(magnitude) @ bank

    return spectrogram


def build_kapre(case: dict):
    """Kapre's layers, compiled into a graph."""
    if case["kind"] in ("linear", "log", "cqt"):
        raise ValueError("has no such transform")
    from kapre.composed import get_melspectrogram_layer, get_stft_magnitude_layer

    n_fft, last = case["n_fft"], "channels_last"
    form = {"n_fft": n_fft, "hop_length": case["hop_length"], "input_data_format": last, "output_data_format": last}
    if case["kind"] == "fft":
        layer = get_stft_magnitude_layer(**form)
    else:
        band = {"n_mels": case["n_mels"], "mel_f_min": case["f_min"], "mel_f_max": case["f_max"]}
        layer = get_melspectrogram_layer(**form, **band, sample_rate=int(case["sample_rate"]))

    @tf.function
    def spectrogram(x):
        padded = tf.pad(x, [[0, 0], [n_fft // 2, n_fft // 2]], "REFLECT")
        return layer(padded[..., None])[..., 0]

    return spectrogram


PEERS = {"Kapre": ("kapre", build_kapre), "tf.signal": ("tensorflow", build_tf_signal)}


def seconds(work) -> float:
    """Wall-clock time from an idle device to an idle device."""
    synchronise()
    began = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - began


def synchronise() -> None:
    """Wait until the device is idle; a CPU's calls are done when they return."""
    if tf.config.get_visible_devices("GPU"):
        tf.test.experimental.sync_devices()


def held() -> int:
    """Bytes in use now: of TensorFlow's on a GPU, resident in the process on a CPU."""
    if tf.config.get_visible_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["current"]
    ctypes.CDLL(None).malloc_trim(0)
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])


def peak_mb(work, own: int) -> float:
    """MB that a call takes at most: beyond what is in use before it, and its own tables, `own` bytes, which are."""
    before = held() - own
    if tf.config.get_visible_devices("GPU"):
        tf.config.experimental.reset_memory_stats("GPU:0")
        work()
        return max(0, tf.config.experimental.get_memory_info("GPU:0")["peak"] - before) / 1e6
    Path("/proc/self/clear_refs").write_text("5")
    work()
    lines = Path("/proc/self/status").read_text().splitlines()
    most = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return max(0, most - before) / 1e6


def measure(case: dict, clips: np.ndarray, plan: dict, folder: Path, index: int) -> dict[str, dict]:
    """Both peers on one case, one call of each in turn."""
    batches = [tf.constant(clips[i : i + case["batch"]]) for i in range(0, len(clips), case["batch"])]
    answers, works = {}, {}
    for name, (package, build) in PEERS.items():
        version = f"tensorflow {tf.__version__}, {package} {importlib.metadata.version(package)}"
        answer = answers[f"{index}-{name}"] = {"versions": version}
        try:
            before = held()
            began = time.perf_counter()
            function = build(case)
            first = function(batches[0])
            synchronise()
            answer["setup_s"] = round(time.perf_counter() - began, 4)
            own = max(0, held() - before)
            np.save(folder / f"{index}-{name}.npy", np.swapaxes(first[: plan["few"]].numpy(), 1, 2))
            cotangents = {len(batch): tf.random.normal([len(batch), *first.shape[1:]]) for batch in batches}

            def forward(function=function):
                for batch in batches:
                    function(batch)

            @tf.function
            def gradient(batch, cotangent, function=function):
                with tf.GradientTape() as tape:
                    tape.watch(batch)
                    result = function(batch)
                return tape.gradient(result, batch, cotangent)

            def both(gradient=gradient, cotangents=cotangents):
                for batch in batches:
                    gradient(batch, cotangents[len(batch)])

            both()
            answer["peak_mb"] = round(peak_mb(forward, own), 1)
            answer["peak_both_mb"] = round(peak_mb(both, own), 1)
            works |= {(f"{index}-{name}", "forward"): forward, (f"{index}-{name}", "both"): both}
        except Exception as error:  # a peer's failure is its row
            answer["reason"] = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
    for (key, column), times in in_turn(works, plan["rounds"], plan["budget"]).items():
        scaled = [1e3 * t / case["passes"] for t in times]
        quartiles = statistics.quantiles(scaled, n=4, method="inclusive") if len(scaled) > 1 else scaled * 3
        for suffix, value in zip(("q1", "ms", "q3"), quartiles, strict=True):
            answers[key][f"{column}_{suffix}"] = round(value, 6)
        answers[key] |= {"repeats": len(times), "batch": case["batch"]}
    return answers


def in_turn(works: dict, rounds: int, budget: float) -> dict:
    """Times of each work, as `timing.in_turn` takes them."""
    first = {key: seconds(work) for key, work in works.items()}
    times = {key: [once] if once > budget else [] for key, once in first.items()}
    for _ in range(rounds):
        for key, work in works.items():
            if sum(times[key]) < (budget if len(times[key]) >= 3 else 4 * budget):
                times[key].append(settled(work) if first[key] < 0.05 else seconds(work))
    return times


def settled(work) -> float:
    """A short work's time, as `timing` takes it."""
    if tf.config.list_logical_devices("GPU"):
        seconds(work)
        return seconds(work)
    calls, until = [], time.perf_counter() + 0.03
    while time.perf_counter() < until:
        calls.append(seconds(work))
    return statistics.median(calls[len(calls) // 2 :])


def main(folder: Path) -> None:
    """Read the plan, measure, write the answers."""
    plan = json.loads((folder / "plan.json").read_text())
    tf.config.threading.set_intra_op_parallelism_threads(plan["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    gpus = tf.config.list_physical_devices("GPU")
    if plan["device"] == "cuda" and not gpus:
        sys.exit("this TensorFlow sees no GPU")
    if plan["device"] == "cpu":
        tf.config.set_visible_devices([], "GPU")
    clips = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    answers = {}
    for index, case in enumerate(plan["cases"]):
        answers |= measure(case, clips[case["workload"]], plan, folder, index)
        (folder / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
