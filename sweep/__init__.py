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
    sweep.testing          checks of a model, family, source or compression of your own, for any test runner

The program is `sweep`, or `python -m sweep`. The transforms can be imported from here; the import is lazy:

>>> import torch
>>> from sweep import CQT
>>> CQT()(torch.randn(2, 16384)).shape
torch.Size([2, 84, 33])

`row` gives a row of the sweep, such as the front-end of a published system, and needs all dependencies:

>>> from sweep import row
>>> row("onsets-frames").features(torch.randn(16000)).shape
torch.Size([229, 32])

Classes of one's own are registered by `model`, `family`, `source` and `compression` in a script whose last line is
`main()`; an installed package names them in its entry points.

`compare` trains and compares rows as the program does, and returns the report:

    report = sweep.compare(["mel-512-128", "cqt-12"], seeds=3)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.commands.compare import compare
    from sweep.config.rows import row
    from sweep.program import main
    from sweep.registry import compression, family, model, source
    from sweep.transforms import (
        CFP,
        CQT,
        LEAF,
        MFCC,
        STFT,
        VQT,
        FilterBank,
        Gammatone,
        LogBandSpectrogram,
        MelSpectrogram,
        SincNet,
    )

__version__ = "0.2.0"

_TRANSFORMS = (
    "CFP", "CQT", "LEAF", "MFCC", "STFT", "VQT", "FilterBank", "Gammatone", "LogBandSpectrogram", "MelSpectrogram",
    "SincNet",
)  # fmt: skip
_PLACES = dict.fromkeys(_TRANSFORMS, "sweep.transforms")
_PLACES |= dict.fromkeys(("compression", "family", "model", "source"), "sweep.registry")
_PLACES |= {"compare": "sweep.commands.compare", "main": "sweep.program", "row": "sweep.config.rows"}

__all__ = [
    "CFP", "CQT", "LEAF", "MFCC", "STFT", "VQT", "FilterBank", "Gammatone", "LogBandSpectrogram", "MelSpectrogram",
    "SincNet", "__version__", "compare", "compression", "family", "main", "model", "row", "source",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:  # `from sweep import data` then looks for a module
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault(name, getattr(importlib.import_module(_PLACES[name]), name))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
