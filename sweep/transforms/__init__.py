"""Spectrogram front-ends: differentiable modules that map a waveform to a spectrogram, on CPU and CUDA.

>>> import torch
>>> from sweep.transforms import CQT
>>> CQT()(torch.randn(2, 16384)).shape
torch.Size([2, 84, 33])
"""

from sweep.transforms.cfp import CFP
from sweep.transforms.cqt import CQT
from sweep.transforms.filter_bank import FilterBank
from sweep.transforms.gammatone import Gammatone
from sweep.transforms.leaf import LEAF
from sweep.transforms.log_bands import LogBandSpectrogram
from sweep.transforms.mel import MelSpectrogram
from sweep.transforms.mfcc import MFCC
from sweep.transforms.sincnet import SincNet
from sweep.transforms.stft import STFT
from sweep.transforms.vqt import VQT

__all__ = [
    "CFP", "CQT", "LEAF", "MFCC", "STFT", "VQT", "FilterBank", "Gammatone", "LogBandSpectrogram", "MelSpectrogram",
    "SincNet",
]  # fmt: skip
