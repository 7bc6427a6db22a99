"""Audio of any length read in blocks: the same samples as the training reader's, in windows centred on each frame."""

import tracemalloc

import numpy as np
import pytest
import soundfile
from test_audio import sine

from sweep.data.audio import decode
from sweep.data.covering import by_windows
from sweep.data.recording import DataError
from sweep.transcribe.listening import Sound, opened


def cut_out(sound: Sound, length: int, step: int, rate: int = 44100) -> np.ndarray:
    """All windows of a file, (windows, samples at the rate)."""
    size = (2 * length * rate + 44100) // 88200
    parts = [(piece.numpy(), starts.tolist()) for piece, starts, _ in sound.clips(by_windows(length, step, rate))]
    assert all(0 <= start <= len(piece) - size for piece, starts in parts for start in starts)
    return np.stack([piece[start : start + size] for piece, starts in parts for start in starts])


@pytest.mark.parametrize("hop", [5000, 20_000, 400_000])  # the last two leave samples out between windows
@pytest.mark.parametrize(
    ("ending", "rate", "channels"),
    [("wav", 44100, 1), ("flac", 48000, 2), ("ogg", 22050, 1), ("aiff", 8000, 6), ("mp3", 48000, 2)],
)
def test_windows_are_those_of_the_training_readers_samples(tmp_path, ending, rate, channels, hop):
    path, length = tmp_path / f"x.{ending}", 16384
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (19 * rate + 77, channels))  # more than two blocks
    soundfile.write(path, noise, rate)
    samples = decode(path).samples
    samples = samples / np.float32(32768) if samples.dtype == np.int16 else samples
    with opened(path) as sound:
        windows = cut_out(sound, length, hop)
        assert sound.seconds == pytest.approx(len(noise) / rate) and not sound.truncated
    assert windows.shape == (1 + len(samples) // hop, length)
    padded = np.pad(samples, (length // 2, length))
    expected = np.stack([padded[frame * hop :][:length] for frame in range(len(windows))])
    np.testing.assert_array_equal(windows, expected)


@pytest.mark.parametrize("samples", [1, 511, 512, 8192, 16384, 16385, 353_000])
def test_there_is_a_frame_for_each_hop_of_any_length(tmp_path, samples):
    path = tmp_path / "x.wav"
    soundfile.write(path, np.full(samples, 0.5), 44100)
    with opened(path) as sound:
        windows = cut_out(sound, 16384, 512)
    assert len(windows) == 1 + samples // 512
    assert windows[0, 8192] == 0.5 and (windows[0, :8192] == 0).all()  # the first one's centre is the first sample


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(300 * 44100, np.int16), 44100)
    tracemalloc.start()
    with opened(path) as sound:
        frames = sum(count for _, _, count in sound.clips(by_windows(16384, 512, 44100)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert frames == 1 + 300 * 44100 // 512
    assert peak < 10e6  # bytes; 5.9e6 measured, all samples at once would be 53e6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "x.wav: no such file"),
        (lambda path: path.mkdir(), "x.wav: cannot be read as audio"),
        (lambda path: path.write_text(""), "x.wav: cannot be read as audio"),
        (lambda path: path.write_text("no audio"), "x.wav: cannot be read as audio"),
        (lambda path: soundfile.write(path, np.zeros(0), 44100), "x.wav: holds no samples"),
        (
            lambda path: soundfile.write(path, np.r_[np.zeros(400_000), np.nan], 44100, subtype="FLOAT"),
            "x.wav: sample 400000 is nan",
        ),
    ],
)
def test_what_is_no_audio_is_said_in_a_line(tmp_path, make, said):
    path = tmp_path / "x.wav"
    make(path)
    with pytest.raises(DataError) as caught, opened(path) as sound:
        list(sound.clips(by_windows(16384, 512, 44100)))
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_there_is_of_a_truncated_file_is_read_and_said(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, sine(44100, 2.0), 44100)
    path.write_bytes(path.read_bytes()[:100_000])
    with opened(path) as sound:
        list(sound.clips(by_windows(16384, 512, 44100)))
        assert sound.truncated and sound.seconds == pytest.approx(1.13, abs=0.01)
