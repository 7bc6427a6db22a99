"""Augment training windows in ways that keep their labels: colour, noise, level, masked bins and frames.

Random numbers come from the default generator of the tensor's device, and neither a shape nor the host depends on
their values. So a CUDA graph can replay a step: each replay draws anew, and `torch.manual_seed` before it repeats it.
"""

import math

import torch

from sweep.config import Augment

_LOWEST = 40.0  # Hz; below it the random filter is constant
_OCTAVES = 9  # up to 20,480 Hz, whatever the sample rate, so that one seed gives one filter at any rate


def augment_audio(audio: torch.Tensor, augment: Augment, sample_rate: int) -> torch.Tensor:
    """Filter clips at random, add noise to them, and change their level; each clip by draws of its own.

    Args:
        audio: (batch, samples) float32; it is not changed.
        augment: settings; with `equalise`, `noise` and `gain` 0 the argument itself is returned and nothing drawn.
        sample_rate: sample rate of the clips in Hz.

    Returns:
        (batch, samples) float32. A silent clip stays silent.
    """
    if augment.equalise:
        audio = _equalise(audio, augment.equalise, sample_rate)
    if augment.noise:
        rms = torch.linalg.vector_norm(audio, dim=-1, keepdim=True) / math.sqrt(audio.shape[-1])
        level = augment.noise * _draw(audio, 1) * rms
        audio = torch.addcmul(audio, torch.randn_like(audio), level)
    if augment.gain:
        audio = audio * _factor(_draw_within(augment.gain, audio, 1))
    return audio


def mask(features: torch.Tensor, augment: Augment) -> torch.Tensor:
    """Set a random band of bins and a random stretch of frames of each clip to 0, in all channels.

    Where features are standardised, 0 is their mean. Width and place are uniform as in SpecAugment (Park et al. 2019):
    a band has 0 to floor(share n) of the n bins, and lies anywhere within them.

    Args:
        features: (batch, channels, bins, frames); they are not changed, and gradients flow through those that are kept.
        augment: settings; with `mask_bins` and `mask_frames` 0 the argument itself is returned and nothing drawn.

    Returns:
        (batch, channels, bins, frames).
    """
    if augment.mask_bins:
        features = features * _kept(features, -2, augment.mask_bins)[:, None, :, None]
    if augment.mask_frames:
        features = features * _kept(features, -1, augment.mask_frames)[:, None, None, :]
    return features


def _equalise(audio: torch.Tensor, most: float, sample_rate: int) -> torch.Tensor:
    """Filter each clip by a gain that is drawn at each octave from 40 Hz, within -most..most dB, linear in between.

    Between octaves the gain in dB is linear in the logarithm of frequency; beyond the last it is constant. The filter
    has zero phase and is circular, so what leaves a clip at one end enters at the other. That is little: of 500 filters
    of at most 6 dB at 44.1 kHz, all spread at least 99.9 % of a sample's energy over less than 10 ms to either side.
    """
    samples = audio.shape[-1]
    points = _draw_within(most, audio, _OCTAVES + 1)
    frequencies = torch.fft.rfftfreq(samples, 1 / sample_rate, dtype=audio.dtype, device=audio.device)
    octave = (frequencies / _LOWEST).log2().clamp(0, _OCTAVES)  # 0 Hz is -inf before it is clamped
    below = octave.long().clamp(max=_OCTAVES - 1)
    decibels = torch.lerp(points[:, below], points[:, below + 1], octave - below)
    return torch.fft.irfft(torch.fft.rfft(audio) * _factor(decibels), n=samples)


def _kept(features: torch.Tensor, dim: int, share: float) -> torch.Tensor:
    """Draw for each clip a band along a dimension of n entries; return what is outside of it, (batch, n) bool."""
    n = features.shape[dim]
    width = (_draw(features, 1) * (int(share * n) + 1)).floor()
    start = (_draw(features, 1) * (n - width + 1)).floor()
    place = torch.arange(n, device=features.device)
    return (place < start) | (place >= start + width)


def _draw(like: torch.Tensor, count: int) -> torch.Tensor:
    """Draw `count` numbers from 0 to below 1 for each clip, (batch, count)."""
    return torch.rand(len(like), count, dtype=like.dtype, device=like.device)


def _draw_within(most: float, like: torch.Tensor, count: int) -> torch.Tensor:
    """Draw `count` numbers in -most..most for each clip, (batch, count)."""
    return (2 * _draw(like, count) - 1) * most


def _factor(decibels: torch.Tensor) -> torch.Tensor:
    """Convert changes of level in dB to factors of the amplitude."""
    return 10 ** (decibels / 20)
