"""Compare spectrograms as the input of a music-transcription model: the same model is trained on each of them.

The library needs only torch and NumPy:

    sweep.filters          definitions of the bins: windows, kernels, Mel bank, in float64
    sweep.engines          fast evaluation of a bank of kernels, each tested against `filters`; engines.gpu: GPU kernels
    sweep.transforms       CQT, STFT, MelSpectrogram and others: modules from waveform to spectrogram, on the engines

The other packages need all dependencies of the project:

    sweep.representations  rows of the sweep: a transform with its parameters, and the scaling of its values
    sweep.data             recordings with their notes, read from any layout into windows, segments and targets
    sweep.config           the configuration of a run, read from conf/ and checked
    sweep.results          the folder of a run: state, result.json, scores, tables
    sweep.training         one run: models, steps, checkpoints, loggers
    sweep.scheduling       the runs of a sweep, their order, and the processes, hosts or SLURM jobs that take them
    sweep.report           comparison of the results: table, verdict and page
    sweep.transcribe       transcription of audio files by a trained run
    sweep.commands         the command line

The program is `sweep`, or `python -m sweep`. The transforms can be imported from here; the import is lazy:

>>> import torch
>>> from sweep import CQT
>>> CQT()(torch.randn(2, 16384)).shape
torch.Size([2, 84, 33])

`row` gives a row of the sweep, such as the front-end of a published system, and needs all dependencies:

>>> from sweep import row
>>> row("onsets-frames").features(torch.randn(16000)).shape
torch.Size([229, 32])
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.config.rows import row
    from sweep.transforms import CFP, CQT, STFT, LogBandSpectrogram, MelSpectrogram

__version__ = "0.2.0"

__all__ = ["CFP", "CQT", "STFT", "LogBandSpectrogram", "MelSpectrogram", "__version__", "row"]


def __getattr__(name: str) -> Any:
    if name not in __all__:  # `from sweep import data` then looks for a module
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module("sweep.config.rows" if name == "row" else "sweep.transforms")
    return globals().setdefault(name, getattr(module, name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
