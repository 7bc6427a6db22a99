"""Spectrograms of whole recordings computed and written to disk: what comes before training from stored ones."""

import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from experiments.speed import nnaudios, peers, peers_outside_torch, timing
from experiments.speed.peers import reason
from experiments.speed.peers_outside_torch import Unavailable
from sweep.data.recording import SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.representations import Representation

HOURS = 34.0  # MusicNet's length, rounded as its authors do
CLIP = 20 * SAMPLE_RATE  # samples that go through a front-end at a time
BATCH = {"cpu": 1, "cuda": 4}  # of them
LIBRARIES = ("ours", "nnAudio", "librosa")
PASSES, PATIENCE = 3, 1.0  # over the clips, at most and until so many seconds are spent; the median counts


def build(library: str, r: Representation, device: torch.device) -> tuple[Callable, str]:
    """A library's front-end for a representation, and what has to be said about it."""
    if library == "ours":
        return peers.build_ours(r, device, accuracy="high"), ""
    if library == "librosa":
        return peers_outside_torch.build_librosa(r, torch.device("cpu")), ""
    try:
        return nnaudios.build(r, device, "nnAudio"), ""
    except Unavailable as error:
        return nnaudios.build(r, device, "nnAudio", "CQT2010v2"), f"CQT2010v2; CQT1992v2 {error}"


def pieces(recordings: Recordings, seconds: float) -> torch.Tensor:
    """(clips, samples) float32: the beginning of the recordings one after the other, so many seconds in all."""
    total = min(int(seconds * SAMPLE_RATE), len(recordings.samples))
    length = min(CLIP, total)
    zero = torch.zeros(1, dtype=torch.int64)
    starts = torch.arange(total // length) * length
    return torch.cat([recordings.audio(zero, start[None], length) for start in starts])


@torch.inference_mode()
def extract(r: Representation, clips: torch.Tensor, missing: dict[str, str | None], folder: Path | None) -> list[dict]:
    """Compute and write a representation of some clips with each library, in turn.

    Args:
        r: the representation.
        clips: (clips, samples), on the device.
        missing: library -> why it cannot run here, or None.
        folder: to write into; None is the system's for temporary files.

    Returns:
        A row a library, with seconds of computing and writing, medians; of it writing: the copy to the host and the
        files; hours_of_musicnet: the seconds scaled to `HOURS` of audio; gigabytes_of_musicnet: of float32 on disk,
        scaled alike; note and reason: what differs, or why there is nothing.
    """
    works, rows = {}, {}
    common = {"representation": r.name, "bins": r.n_bins, "audio_seconds": round(clips.numel() / SAMPLE_RATE, 1)}
    for library in LIBRARIES:
        row = rows[library] = common | {"library": library, "note": "", "reason": missing[library] or ""}
        if missing[library]:
            continue
        try:
            function, row["note"] = build(library, r, clips.device)
            source = clips.cpu() if library == "librosa" else clips
            function(source[:1])  # what is made once
            works[library] = functools.partial(_one_pass, function, source.split(BATCH[clips.device.type]), folder)
        except Exception as error:  # a peer's failure is its row
            if library == "ours":
                raise
            row["reason"] = reason(error)
    passes = {library: [work()] for library, work in works.items()}
    for _ in range(PASSES - 1):
        for library, work in works.items():
            if sum(seconds for seconds, _, _ in passes[library]) < PATIENCE:
                passes[library].append(work())
    scale = HOURS * 3600 / (clips.numel() / SAMPLE_RATE)
    for library, measured in passes.items():
        seconds, writing, size = sorted(measured)[len(measured) // 2]
        rows[library] |= {"seconds": round(seconds, 4), "writing": round(writing, 4)}
        rows[library] |= {"hours_of_musicnet": round(seconds * scale / 3600, 4)}
        rows[library] |= {"gigabytes_of_musicnet": round(size * scale / 1e9, 2)}
    return list(rows.values())


def _one_pass(function: Callable, batches: tuple[torch.Tensor, ...], folder: Path | None) -> tuple[float, float, int]:
    """Seconds of computing and writing, seconds of writing, and bytes of float32."""
    writing, size, device = 0.0, 0, batches[0].device
    timing.synchronise(device)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        began = time.perf_counter()
        for i, batch in enumerate(batches):
            spectrogram = function(batch)
            if torch.is_tensor(spectrogram):
                spectrogram = spectrogram.contiguous()  # np.save takes up to 30 times as long for what is not
            timing.synchronise(device)
            since = time.perf_counter()
            if torch.is_tensor(spectrogram):
                spectrogram = spectrogram.cpu().numpy()
            np.save(Path(scratch, f"{i}.npy"), spectrogram)
            writing += time.perf_counter() - since
            size += 4 * spectrogram.size
        return time.perf_counter() - began, writing, size
