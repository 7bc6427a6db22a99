"""Which spectrogram should a music-transcription model look at? The same model, trained on every candidate."""

__version__ = "0.1.0"

__all__ = ["__version__"]
