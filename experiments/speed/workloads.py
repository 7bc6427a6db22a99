"""What is timed: three workloads, the paper's, the sweep's and the families', and their clips of music."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.rows import like, rows
from experiments.speed.families import FAMILIES, FrontEnd
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.data.windows import training_windows
from sweep.representations import Representation

PAPER_CLIPS, PAPER_SAMPLES = 1770, 80_000  # P1's figure 11
FEW_FAMILIES = 8  # of them on a CPU: a pass of the slowest, nnAudio's CFP, takes a second
SWEEP_BATCH, SWEEP_SAMPLES = 100, 16_384  # the protocols' batch and window
# A result is written once and its gradient read once, so there is nothing to gain from clips that a cache still holds:
# on CUDA a measurement goes through so many batches, 66 MB of clips at the sweep's size, more than an H100's 50 MB.
CUDA_BATCHES = 10
PAPER = (
    like("linear-2048", "stft-2048", scale="fft", pad_mode="reflect"),
    like("mel-2048-128", "mel-2048-128-full", f_min=0.0, f_max=None),
    like("cqt-24", "cqt-24-168"),
    like("cqt-12", "cqt-12-84"),
)


@dataclass(frozen=True)
class Case:
    """One representation of one workload.

    Attributes:
        workload: "paper", "sweep" or "families".
        representation: what is computed.
        clips: that a stated time is for.
        samples: of a clip.
        passes: how many times `clips` different clips a measurement goes through, to be divided by.
        batch: most clips in one call.
        size: in words, and what it was reduced from.
    """

    workload: str
    representation: Representation | FrontEnd
    clips: int
    samples: int
    passes: int
    batch: int
    size: str

    @property
    def name(self) -> str:
        return self.representation.name

    @property
    def frames(self) -> int:
        return self.representation.n_frames(self.samples)

    @property
    def bytes_moved(self) -> int:
        """The clips read once and the result written once, float32."""
        return 4 * self.clips * (self.samples + self.representation.n_bins * self.frames)


def cases(workloads: list[str], device: str, reduced: bool, names: list[str] | None, clips: dict[str, int]) -> list:
    """The cases to time.

    Args:
        workloads: "paper", "sweep", "families".
        device: "cpu" or "cuda".
        reduced: fewer clips: 32 of the paper's 1,770, 8 of the families', 16 of the sweep's 100.
        names: of representations, or None for all.
        clips: per workload, another number of clips.

    Raises:
        ValueError: a name that no workload has.
    """
    chosen = []
    if "paper" in workloads:
        count = clips.get("paper") or (32 if reduced else PAPER_CLIPS)
        batch = min(count, 16 if device == "cpu" else count)  # what fits: measure.py halves it where it does not
        size = f"{count:,} clips x {PAPER_SAMPLES:,} in batches of {batch:,}"
        size += f", reduced from {PAPER_CLIPS:,} clips" if count < PAPER_CLIPS else ""
        chosen += [Case("paper", r, count, PAPER_SAMPLES, 1, batch, size) for r in PAPER]
    if "sweep" in workloads:
        count = clips.get("sweep") or (16 if reduced else SWEEP_BATCH)
        passes = CUDA_BATCHES if device == "cuda" else 1
        size = f"a batch of {count} x {SWEEP_SAMPLES:,}"
        size += f", reduced from {SWEEP_BATCH}" if count < SWEEP_BATCH else ""
        chosen += [Case("sweep", r, count, SWEEP_SAMPLES, passes, count, size) for r in rows()]
    if "families" in workloads:
        count = clips.get("families") or (FEW_FAMILIES if reduced else PAPER_CLIPS)
        batch = min(count, FEW_FAMILIES if device == "cpu" else count)
        size = f"{count:,} clips x {PAPER_SAMPLES:,} in batches of {batch:,}"
        size += f", reduced from {PAPER_CLIPS:,} clips" if count < PAPER_CLIPS else ""
        chosen += [Case("families", front_end, count, PAPER_SAMPLES, 1, batch, size) for front_end in FAMILIES]
    known = {case.name for case in chosen}
    for name in names or ():
        if name not in known:
            raise ValueError(f"--rows {name}: choose from {', '.join(sorted(known))}")
    return [case for case in chosen if names is None or case.name in names]


def music(root: Path, chosen: list[Case]) -> dict[str, torch.Tensor]:
    """Per workload its clips, (clips, samples) float32 on the CPU: random windows of the training recordings.

    Args:
        root: folder in MusicNet's layout; the demo set is made at data/demo where that is asked for.
        chosen: the cases.
    """
    if root == Path("data/demo"):
        make_demo(root)
    recordings = Recordings(read_split(root, "train"))
    clips = {}
    for case in chosen:
        if case.workload not in clips:
            steps = range(math.ceil(case.clips * case.passes / 100))
            windows = [
                training_windows(recordings, batch_size=100, length=case.samples, seed=0, step=step)[0]
                for step in steps
            ]
            clips[case.workload] = torch.cat(windows)[: case.clips * case.passes].contiguous()
    return clips
