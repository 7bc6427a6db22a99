"""Spectrograms of whole recordings computed and written to disk: what comes before training from stored ones."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from experiments.speed import peers, peers_outside_torch, timing
from experiments.speed.peers import reason
from experiments.speed.peers_outside_torch import Unavailable
from sweep import data
from sweep.data.recording import SAMPLE_RATE
from sweep.representations import Representation

HOURS = 34.0  # MusicNet's length, rounded as its authors do
CLIP = 20 * SAMPLE_RATE  # samples that go through a front-end at a time
BATCH = {"cpu": 1, "cuda": 4}  # of them
LIBRARIES = ("ours", "nnAudio", "librosa")


def build(library: str, r: Representation, device: torch.device) -> tuple[Callable, str]:
    """A library's front-end for a representation, and what has to be said about it."""
    if library == "ours":
        return peers.build_ours(r, device, "high"), ""
    if library == "librosa":
        return peers_outside_torch.build_librosa(r, torch.device("cpu")), ""
    try:
        return peers.build_nnaudio(r, device), ""
    except Unavailable as error:
        return peers.build_nnaudio(r, device, "CQT2010v2"), f"CQT2010v2; CQT1992v2 {error}"


def pieces(recordings: data.Recordings, seconds: float) -> torch.Tensor:
    """(clips, samples) float32: the beginning of the recordings one after the other, so many seconds in all."""
    total = min(int(seconds * SAMPLE_RATE), len(recordings.samples))
    length = min(CLIP, total)
    zero = torch.zeros(1, dtype=torch.int64)
    starts = torch.arange(total // length) * length
    return torch.cat([recordings.audio(zero, start[None], length) for start in starts])


@torch.inference_mode()
def extract(library: str, r: Representation, clips: torch.Tensor, folder: Path | None) -> dict:
    """Compute and write a representation of some clips.

    Args:
        library: one of `LIBRARIES`.
        r: the representation.
        clips: (clips, samples), on the device.
        folder: to write into; None is the system's for temporary files.

    Returns:
        seconds: of computing and writing; of it writing: the copy to the host and the files.
        hours_of_musicnet: the seconds scaled to `HOURS` of audio, in hours.
        gigabytes_of_musicnet: of float32 on disk, scaled alike.
        note, reason: what differs, or why there is nothing.
    """
    device = clips.device
    row = {"representation": r.name, "bins": r.n_bins, "library": library, "note": "", "reason": ""}
    row["audio_seconds"] = round(clips.numel() / SAMPLE_RATE, 1)
    try:
        function, row["note"] = build(library, r, device)
        source = clips.cpu() if library == "librosa" else clips
        function(source[:1, : 2 * SAMPLE_RATE])  # what is made once
        function(source[:1])
        timing.synchronise(device)
        writing = 0.0
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            began = time.perf_counter()
            for i, batch in enumerate(source.split(BATCH[device.type])):
                spectrogram = function(batch)
                timing.synchronise(device)
                since = time.perf_counter()
                if torch.is_tensor(spectrogram):
                    spectrogram = spectrogram.cpu().numpy()
                np.save(Path(scratch, f"{i}.npy"), spectrogram)
                writing += time.perf_counter() - since
                size = spectrogram[0].astype(np.float32).nbytes
            seconds = time.perf_counter() - began
        scale = HOURS * 3600 / (clips.numel() / SAMPLE_RATE)
        row |= {"seconds": round(seconds, 4), "writing": round(writing, 4)}
        row["hours_of_musicnet"] = round(seconds * scale / 3600, 4)
        row["gigabytes_of_musicnet"] = round(size * len(clips) * scale / 1e9, 2)
    except Exception as error:  # a peer's failure is its row
        if library == "ours":
            raise
        row["reason"] = reason(error)
    return row
