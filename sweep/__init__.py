"""Which spectrogram should a music-transcription model look at? The same model, trained on every candidate.

The library needs torch and NumPy alone:

    sweep.filters          what each bin is: windows, kernels, Mel bank, in float64
    sweep.engines          ways to evaluate a bank of kernels fast, each tested against `filters`; engines.gpu: on CUDA
    sweep.transforms       CQT, STFT, MelSpectrogram: modules from waveform to spectrogram, over engines

The rest needs all that the project depends on:

    sweep.representations  rows of the sweep: a transform with its numbers, and what is done to its values
    sweep.data             recordings with their notes, from any layout to windows and targets
    sweep.config           one run as one checked object, made from conf/
    sweep.results          a run's folder: its state, result.json, scores, tables
    sweep.training         one run: models, steps, checkpoints, loggers
    sweep.scheduling       which runs, in which order, on which processes, hosts or SLURM jobs
    sweep.report           results to a table, a verdict and a page
    sweep.transcribe       audio to notes, by a trained run
    sweep.commands         the command line

`sweep`, or `python -m sweep`, is the program. The transforms are here too, imported when they are first asked for:

>>> import torch
>>> from sweep import CQT
>>> CQT()(torch.randn(2, 16384)).shape
torch.Size([2, 84, 33])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.transforms import CQT, STFT, MelSpectrogram

__version__ = "0.2.0"

__all__ = ["CQT", "STFT", "MelSpectrogram", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in __all__:  # `from sweep import data` then looks for a module
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sweep import transforms

    return globals().setdefault(name, getattr(transforms, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
