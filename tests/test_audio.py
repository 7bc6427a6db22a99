"""Decoding: at any rate and in any format a sine stays the sine that it is."""

import numpy as np
import pytest
import soundfile

from sweep.data.audio import decode


def sine(rate: int, seconds: float = 1.0, frequency: float = 1000.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate + 0.3)


@pytest.mark.parametrize(
    ("ending", "rate", "channels", "options", "tolerance"),
    [
        ("wav", 48000, 2, {}, 4e-5),  # 16 bits: half a step is 1.5e-5
        ("flac", 22050, 1, {}, 4e-5),
        ("wav", 96000, 1, {"subtype": "FLOAT"}, 2e-6),
        ("aiff", 8000, 2, {"subtype": "PCM_24"}, 2e-6),
        ("wav", 44056, 1, {"subtype": "DOUBLE"}, 2e-6),
        ("ogg", 48000, 2, {}, 0.02),  # lossy
        ("ogg", 44100, 1, {}, 0.02),
        ("opus", 48000, 1, {"format": "OGG", "subtype": "OPUS"}, 0.02),
        ("mp3", 48000, 2, {}, 0.02),
        ("mp3", 44100, 1, {}, 0.02),
    ],
)
def test_a_resampled_sine_is_the_sine_at_44100_hz(tmp_path, ending, rate, channels, options, tolerance):
    """Sample n is the sine's value at n / 44,100 s: frequency, phase, so time, and level are kept."""
    path = tmp_path / f"x.{ending}"
    levels = np.array([1.0, 0.5])[:channels]
    soundfile.write(path, sine(rate)[:, None] * levels, rate, **options)
    samples, file_rate, file_samples = decode(path)
    assert (file_rate, file_samples, len(samples)) == (rate, rate, 44100)
    actual = samples.astype(np.float64) / (32768 if samples.dtype == np.int16 else 1)
    inside = slice(2000, -2000)  # the filters ring where a sine begins and ends at once
    np.testing.assert_allclose(actual[inside], levels.mean() * sine(44100)[inside], rtol=0, atol=tolerance)


def test_frequencies_that_the_new_rate_does_not_hold_are_filtered_out(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(96000, frequency=30_000.0), 96000)
    assert np.abs(decode(path).samples[1000:-1000]).max() < 4e-5  # 16 bits
