"""What a trained run hears in an audio file: `python -m sweep.transcribe RUN audio.wav`."""
