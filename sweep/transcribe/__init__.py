"""Transcribe audio files with a trained run: `sweep transcribe RUN audio.wav`."""
