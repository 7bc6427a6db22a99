"""A row's front-end as one module: level, transforms, compression, normalisation and stack."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sweep.engines.tables import Tables
from sweep.representations.framing import placed
from sweep.transforms.transform import Transform, check_tensor

if TYPE_CHECKING:
    from sweep.representations.representation import Representation


class FrontEnd(nn.Module):
    """A row from audio to features: (batch, samples) -> (batch, channels, bins, frames).

    Args:
        row: the row.
        samples: length of the clips; None if they may have any length.
        options: the transforms' arguments trainable, engine and accuracy.

    Attributes:
        transforms: transform of each of the row's parts.
        n_channels, n_bins: channels and bins of the features.
    """

    def __init__(self, row: "Representation", samples: int | None = None, **options: Any):
        super().__init__()
        self.row = row
        self.transforms = nn.ModuleList(part.transform(samples, **options) for part in row.members)
        self.n_channels, self.n_bins = row.n_channels, row.bins
        self._tables = Tables()

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Compute the features of clips.

        Raises:
            ValueError: the clips are not (batch, samples).
        """
        if audio.ndim != 2:
            raise ValueError(f"audio of shape {tuple(audio.shape)}: needs (batch, samples); row.features takes others")
        row = self.row
        offset = row.compression.fused_offset
        x = self._joined(audio, offset)
        rate = row.sample_rate / row.hop_length
        y = x if offset is not None else row.compression(x, rate)
        return row.stack(row.normalisation(y), row.part_bins)

    def spectrogram(self, audio: torch.Tensor) -> torch.Tensor:
        """Compute the values before compression: (batch, channels, bins, frames), before any stack."""
        return self._joined(audio, None)

    def _joined(self, audio: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Compute log(values + offset) of all parts, or without an offset their values."""
        row = self.row
        framed = row.level.FRAMED
        clip = placed(row.framing, audio.shape[-1], row.hop_length, row.context, framed)
        x = audio if framed else row.level(audio)
        if clip.left or clip.right:
            x = nn.functional.pad(x, (clip.left, clip.right))
        if framed:
            samples = x.shape[-1]
            key = (samples, x.device, x.dtype)  # kept, since no CUDA graph captures a copy to the GPU
            weight = self._tables.get(key, lambda: torch.from_numpy(clip.overlaps(samples)).to(x.device, x.dtype))
            x = row.level(x, weight)
        found = []
        for transform in self.transforms:
            y = transform(x) if offset is None else transform.log(x, offset)
            if clip.skip or clip.count < y.shape[-1]:
                y = y[..., clip.kept]
            found.append(y if y.ndim == 4 else y.unsqueeze(1))
        if len(found) == 1:
            return found[0]
        return torch.cat(found, dim=1 if row.join == "channels" else 2)

    def centre(self, samples: int) -> int:
        """Return the number of the frame nearest to the middle of a clip of so many samples."""
        times = self.row.times(samples)
        return int(abs(times - samples / 2 / self.row.sample_rate).argmin())

    def engine_on(self, device: str | torch.device) -> str:
        """Say which engines evaluate clips on a device, and why, each once."""
        transforms: list[Transform] = list(self.transforms)
        return "; ".join(dict.fromkeys(transform.engine_on(device) for transform in transforms))

    def is_product_on(self, device: torch.device) -> bool:
        """Return whether all engines of a device are matrix products: `Engine.is_product`."""
        engines = [transform.engine for transform in self.transforms]
        return all(engine is not None and all(part.is_product for part in engine.parts(device)) for engine in engines)

    def multiply_adds(self, samples: int) -> float:
        """Return the real multiply-adds of the transforms for a clip of so many samples."""
        row = self.row
        clip = placed(row.framing, samples, row.hop_length, row.context, row.level.FRAMED)
        padded = clip.left + samples + clip.right
        return sum(transform.multiply_adds(padded) for transform in self.transforms)


def checked_waveform(waveform: torch.Tensor) -> torch.Tensor:
    """Return waveforms, (..., samples), in float64 if they are, otherwise in float32.

    Raises:
        TypeError: it is no tensor.
        ValueError: it has no samples, or complex ones.
    """
    check_tensor("waveform", waveform)
    if waveform.ndim < 1 or not waveform.numel() or waveform.is_complex():
        shape = tuple(waveform.shape)
        raise ValueError(f"waveform of shape {shape}: needs real samples, (..., samples), one at least")
    return waveform if waveform.dtype == torch.float64 else waveform.float()
