"""What a trained run hears in an audio file: `sweep transcribe RUN audio.wav`."""
