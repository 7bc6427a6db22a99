"""Decoding: at any rate and in any format a sine stays the sine that it is; what is not whole is refused."""

import numpy as np
import pytest
import soundfile

from sweep.data.audio import decode
from sweep.data.recording import DataError


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


def test_an_mp3_of_unknown_length_is_refused(tmp_path):
    """libsndfile reads 0.6 million samples of this one's 2.6 million and says nothing."""
    path = tmp_path / "x.mp3"
    time = np.arange(60 * 44100) / 44100
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, len(time)) * (time % 10 < 5)
    soundfile.write(path, audio, 44100, bitrate_mode="VARIABLE", compression_level=0.5)
    assert len(decode(path).samples) == len(audio)
    content = path.read_bytes()
    tagged = tmp_path / "tagged.mp3"
    tagged.write_bytes(b"ID3\4\0\0\0\0\x20\0" + bytes(4096) + content)  # an ID3v2 tag of 4,096 bytes
    assert len(decode(tagged).samples) == len(audio)
    path.write_bytes(content[content.find(content[:2], 100) :])  # without its first frame, which holds the length
    with pytest.raises(DataError, match="x.mp3: an MP3 without Xing header"):
        decode(path)


@pytest.mark.parametrize("ending", ["aiff", "au", "mp3", "flac"])
def test_truncated_audio_is_refused(tmp_path, ending):
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 100_000), 44100)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="truncated|cannot be read"):
        decode(path)
