"""The groups of conf/, one frozen dataclass each, with one field per key."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sweep.checks import check_whole, shown
from sweep.config.chosen import Chosen
from sweep.config.elsewhere import TAKES, DataSet, OtherSet, check_sets, name_of_set, record_of, sets_from_tree
from sweep.fields import Group, checked, choice, folder, group, keys_of, number, positive, share, text, values, whole
from sweep.registry import models, sources

ACCURACIES = ("exact", "high", "fast")
METRICS = ("accuracy", "f_measure", "note_f1", "note_offset_f1", "average_precision")


@dataclass(frozen=True, kw_only=True)
class Data(DataSet):
    """The recordings to train on and to test on."""

    PLACE = "data."

    cache: str | None = folder(also=(None,), changes_result=False)
    """Folder for decoded audio, which may be deleted at any time."""
    validation: float | str = share(also=("own",))
    """Share of the training recordings that is held out; loss and average precision on them are logged. own: those
    recordings that the data set itself holds out."""
    hours: float | None = positive(also=(None,), default=None)
    """Hours of the training recordings to take, drawn at random but the same for all runs; null takes all."""
    placement: str = choice("auto", "float32", "int16", "host", changes_result=False)
    """Place of the audio on a GPU machine: on the GPU in one of two types, or on the host."""
    test: tuple[OtherSet, ...] = checked(check_sets, TAKES, kind="words", default=(), also=(None,))
    """Other data sets, on whose test recordings a run is scored besides; each needs another name."""

    def check(self) -> None:
        self.choose(sources, self.source)
        if any(other.name == self.name for other in self.test):
            raise ValueError(
                f"data.test {shown(self.name)}: the set that is trained on has this name; give it another, "
                "{source: ..., root: ..., name: NAME}"
            )

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], place: str | None = None) -> Self:
        root = tree.get("root")
        if root == "???":
            raise ValueError("data.root is missing: name the folder of the recordings, data.root=DIR")
        if not isinstance(root, str) or not root:
            raise ValueError(f"data.root {shown(root)}: needs a folder")
        if "name" not in tree:
            tree = {"name": name_of_set("data.root", root, "+data.name=NAME"), **tree}
        return super().from_tree({**tree, "test": sets_from_tree(tree.get("test"))}, place)

    def record(self) -> dict[str, Any]:
        return super().record() | {"test": record_of(self.test)}


@dataclass(frozen=True, kw_only=True)
class Augment(Group):
    """How training windows are varied at random, each by draws of its own; 0 leaves a kind out.

    Attributes:
        on: whether there is any variation.
    """

    PLACE = "protocol.augment."

    gain: float = number(0, default=0.0)
    """Largest change of level in dB, up or down; a row whose `level` scales each window does not see it."""
    noise: float = share(default=0.0)
    """Largest level of added white noise relative to the window's root mean square; 0.01 is 40 dB below it."""
    equalise: float = number(0, default=0.0)
    """Largest gain or attenuation in dB of a random filter, drawn at each octave from 40 Hz and smooth in between."""
    mask_bins: float = share(default=0.0)
    """Largest share of the bins that a random band, set to 0, covers."""
    mask_frames: float = share(default=0.0)
    """Largest share of the frames that a random stretch, set to 0, covers."""

    @property
    def on(self) -> bool:
        return any(getattr(self, field.name) for field in keys_of(type(self)))


@dataclass(frozen=True, kw_only=True)
class Protocol(Group):
    """How a model is trained and how it is scored."""

    PLACE = "protocol."

    name: str = text()
    """The file's name."""
    window: int = whole()
    """Length of the model's input, a window or a segment, in samples at 44.1 kHz, whatever a row's sample rate."""
    steps: int = whole()
    """Optimiser steps."""
    batch_size: int = whole()
    """Windows or segments per step."""
    learning_rate: float = positive()
    """Largest learning rate of Adam, without a warm-up that of the first step."""
    learning_rate_scaling: str = choice("features", "none")
    """Whether the rate is divided by the square root of the number of features."""
    fixed_steps: int = whole(least=0)
    """Steps after which a trainable front-end is trained, too."""
    schedule: str = choice("linear", "cosine", "constant")
    """Whether the rate falls to 0 at the last step, in a line or as half a cosine."""
    warm_up: float = share()
    """Share of the steps in which the rate rises in a line from 0."""
    weight_decay: float = number(0)
    """Decoupled weight decay, AdamW's; 0 is Adam."""
    clip: float | None = positive(also=(None,))
    """Largest norm of the gradient of all weights, to which a larger one is scaled; null leaves it as it is."""
    standardise: int = whole(least=0)
    """Batches whose mean and deviation standardise each bin; 0 leaves the bins as they are."""
    output_bias: bool = choice(False, True)
    """Whether the model has an output bias, which starts at the logit of each note's share of the time."""
    loss_scale: float = positive()
    """Factor of the mean binary cross-entropy."""
    onset_width: float = positive()
    """Seconds about a note's start in which it counts as beginning, for a model with an onset head."""
    onset_weight: float = positive()
    """Factor of the onset head's loss, beside 1 of the frame head's."""
    augment: Augment = group(only=Augment)
    validation: float = share()
    """Default of `data.validation`."""
    validation_windows: int = whole(least=0)
    """Number of windows or segments of each held-out recording."""
    checkpoint_every: int = whole(changes_result=False)
    """Steps between two checkpoints."""
    scored_windows: int = whole()
    """Largest number of instants, the middles of windows, whose frames are scored in each test recording."""
    note_step: int | None = whole(also=(None,))
    """Samples at 44.1 kHz between the windows that notes are formed from, over a whole recording; null: no notes.
    A model that sees segments forms them from all its frames."""
    edge: float = share()
    """Share of a segment at either end whose estimates are left out, below 0.5; a window has one estimate."""

    def check(self) -> None:
        if self.edge >= 0.5:
            raise ValueError(f"protocol.edge {self.edge}: leaves nothing of a segment; choose less than 0.5")
        if self.fixed_steps >= self.steps:
            raise ValueError(
                f"protocol.fixed_steps {self.fixed_steps}: needs to be fewer than protocol.steps, {self.steps}"
            )


@dataclass(frozen=True, kw_only=True)
class Model(Chosen):
    """The model behind the front-end; its class may have keys of its own."""

    PLACE = "model."

    name: str = text()
    """The file's and the class's registered name."""
    sees: str = choice("window", "segment")
    """window: the model says what sounds in the middle of a clip; segment: in each of its frames."""
    learning_rate: float | None = positive(also=(None,))
    """Learning rate of this model in the paper; null where it is not in it."""

    def check(self) -> None:
        self.choose(models, self.name)

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], place: str | None = None) -> Self:
        return super().from_tree({"sees": "window", **tree}, place)


@dataclass(frozen=True, kw_only=True)
class FrontEnd(Group):
    """How a representation is computed."""

    PLACE = "frontend."

    trainable: bool | str = choice(False, True, "bank", "kernels", spelling="trainable={}", usual=False)
    """Whether the front-end's kernels are trained too; of a Mel row also its bank (bank or kernels: one alone)."""
    learning_rate: float | None = positive(also=(None,), spelling="frontend_rate={}")
    """Learning rate of a trainable front-end; null is the model's."""
    accuracy: str = choice(*ACCURACIES, spelling="accuracy={}", usual=lambda config: implied_accuracy(config.precision))
    """Relative error allowed: 1e-5, 1e-4 or 1e-3; auto is high with precision=float32, otherwise fast."""


@dataclass(frozen=True, kw_only=True)
class Control(Group):
    """Whether all representations get the same number of features a frame, hence of weights for each frame."""

    PLACE = "control."

    name: str = choice("none", "capacity", spelling="{}", usual="none")
    """none: the model sees the bins; capacity: a fixed random projection of each frame comes first."""
    width: int | None = whole(also=(None,), default=None)
    """Features of a frame after the projection."""

    def check(self) -> None:
        if self.name == "capacity":
            check_whole("control.width", self.width)
        elif self.width is not None:
            raise ValueError(f"control.width ({self.width}): unknown key; it belongs to control=capacity")


@dataclass(frozen=True, kw_only=True)
class Logger(Group):
    """Destination of a run's curves."""

    PLACE = "logger."

    name: str = choice("csv", "wandb", "tensorboard", "none")
    """csv: files in the run's folder; wandb: Weights & Biases beside them; tensorboard: event files beside them."""
    project: str | None = text(also=(None,), default=None)
    """Name of the W&B project."""

    def check(self) -> None:
        if self.project and (len(self.project) > 128 or set(self.project) & set("/\\#?%:")):
            raise ValueError(
                f"logger.project {shown(self.project)}: needs at most 128 characters and none of / \\ # ? % :, for W&B"
            )

    @property
    def lacking(self) -> str:
        """What the logger lacks, with the remedy; empty if it lacks nothing."""
        if self.name != "tensorboard" or importlib.util.find_spec("tensorboard"):
            return ""
        remedy = "pip install 'spectrogram-sweep[tensorboard]'"
        return f"logger=tensorboard: the package tensorboard is missing, {remedy}; the curves are in CSV files alone"


@dataclass(frozen=True, kw_only=True)
class Cluster(Group):
    """Where the runs of a sweep are executed; this class: one after the other in this process."""

    PLACE = "cluster."

    name: str = text()
    """The file's name."""


@dataclass(frozen=True, kw_only=True)
class HostCluster(Cluster):
    """Several processes of this host."""

    processes: int | str = whole(also=("auto",))
    """Number of processes, which share GPUs if there are more; auto is one for each GPU or core."""


@dataclass(frozen=True, kw_only=True)
class SlurmCluster(Cluster):
    """A SLURM job for each run, as one array."""

    gpus: int = whole(least=0)
    """Number of GPUs of each job."""
    cpus: int = whole()
    """Number of cores of each job."""
    memory: int | None = whole(also=(None,))
    """Memory of each job in GB; null is the cluster's default."""
    timeout: int = whole()
    """Time limit of each job in minutes; a longer run writes a checkpoint, is queued again and resumes."""
    requeues: int = whole(least=0)
    """Number of times that a job may be queued again."""
    grace: int = whole(least=0)
    """Time before its limit at which a job is told to stop, in seconds."""
    parallel: int = whole()
    """Largest number of jobs at a time."""
    partition: str | None = text(also=(None,))
    """SLURM's partition; null is the cluster's default."""
    account: str | None = text(also=(None,))
    """SLURM's account; null is the cluster's default."""
    qos: str | None = text(also=(None,))
    """SLURM's quality of service; null is the cluster's default."""
    setup: list[str] | None = values(list, "a list, see conf/cluster/slurm.yaml", also=(None,))
    """Shell commands before a job, such as `[module load cuda]`."""
    extra: dict[str, Any] | None = values(dict, "a dict, see conf/cluster/slurm.yaml", also=(None,))
    """Further options of sbatch, such as `{constraint: a100}`."""
    detach: bool = choice(False, True)
    """Whether the command returns once the jobs are submitted."""


CLUSTERS: dict[str, type[Cluster]] = {"none": Cluster, "gpus": HostCluster, "cpus": HostCluster, "slurm": SlurmCluster}


def implied_accuracy(precision: str) -> str:
    """Return the default accuracy of a front-end: its rounding error is no larger than the model's."""
    return "high" if precision == "float32" else "fast"
