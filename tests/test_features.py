"""`sweep features` writes what a row's model sees of audio files; what is wrong with one costs that one only."""

import numpy as np
import pytest
import soundfile
import soxr
import torch
from numpy.testing import assert_allclose

from sweep import row
from sweep.commands import parser

RATE = 22050


@pytest.fixture
def tone(tmp_path):
    """Half a second at 22,050 Hz: 440 Hz on the left and silence on the right."""
    t = np.arange(RATE // 2) / RATE
    stereo = np.stack([0.5 * np.sin(2 * np.pi * 440 * t), np.zeros(len(t))], axis=1)
    soundfile.write(tmp_path / "tone.wav", stereo, RATE, subtype="FLOAT")
    return tmp_path / "tone.wav"


def features(*words) -> int:
    return parser.main(["features", *map(str, words)])


def test_what_is_written(tone, tmp_path, capsys):
    assert features("tabcnn", tone, "--out", tmp_path / "new" / "folder") == 0
    made = np.load(tmp_path / "new" / "folder" / "tone.npz")
    assert set(made) == {"spectrogram", "features", "frequencies", "times"}
    r, clip = row("tabcnn"), soundfile.read(tone, dtype="float32")[0].mean(axis=1)
    expected = r.features(torch.from_numpy(clip), accuracy="exact").numpy()
    assert_allclose(made["features"], expected, rtol=1e-5, atol=1e-6)  # at the row's rate, so not resampled
    assert made["features"].shape == (192, 22) and made["times"].shape == (22,) and made["frequencies"].shape == (192,)
    loudest = made["frequencies"][made["features"].mean(axis=1).argmax()]
    assert 430 < loudest < 450
    assert (tmp_path / "new" / "folder" / "tone.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert said.startswith(f"{tone}: 192 bins, 22 frames: ") and said.endswith("tone.png\n")


def test_beside_the_audio_at_another_rate(tone):
    assert features("mt3", tone, "--no-picture") == 0
    made = np.load(tone.with_suffix(".npz"))
    clip = soxr.resample(soundfile.read(tone, dtype="float32")[0].mean(axis=1), RATE, 16000, quality="VHQ")
    expected = row("mt3").features(torch.from_numpy(clip), accuracy="exact").numpy()
    assert made["features"].shape == expected.shape == (512, 63)
    # soxr as a stream, block by block, rounds otherwise; most of the clip's bins hold next to nothing.
    loud = expected > expected.max() - 6
    assert_allclose(made["features"][loud], expected[loud], atol=1e-2)
    assert not tone.with_suffix(".png").exists()


def test_channels(tone):
    assert features("omnizart", tone) == 0
    made = np.load(tone.with_suffix(".npz"))
    assert made["features"].shape == made["spectrogram"].shape == (4, 352, 24)
    assert tone.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_silence(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    assert features("kong", tmp_path / "silent.wav") == 0
    assert (np.load(tmp_path / "silent.npz")["features"] == -100).all()


def test_what_cannot_be_read_costs_itself_only(tone, tmp_path, capsys):
    (tmp_path / "broken.wav").write_bytes(b"RIFF, or not")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "one.wav", np.ones(1), 44100)
    files = [tmp_path / name for name in ("absent.wav", "broken.wav", "empty.wav", "one.wav")]
    assert features("mt3", *files, tone, "--no-picture") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and lines[3].endswith("too short, it has no sample at 16,000 Hz: choose a longer file")
    assert all(line.startswith("sweep features: ") for line in lines)
    assert all(str(file) in line for file, line in zip(files, lines, strict=True))
    assert tone.with_suffix(".npz").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mt4"], "row 'mt4': there is none; did you mean mt3?"),
        (["mt3", "--out", "{tone}"], "cannot be made"),
        (["mt3", "representation.level.name=window"], "keys of a row are changed in a sweep"),
    ],
)
def test_nothing_is_computed_where_the_command_line_is_wrong(tone, capsys, words, said):
    name, *rest = [word.format(tone=tone) for word in words]
    assert features(name, tone, *rest) == 2
    error = capsys.readouterr().err
    assert error.startswith("sweep features: ") and said in error and error.count("\n") == 1
    assert not tone.with_suffix(".npz").exists()


def test_two_files_of_one_name(tone, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tone.wav").write_bytes(tone.read_bytes())
    assert features("mt3", tone, tmp_path / "other" / "tone.wav", "--out", tmp_path / "out") == 2
    assert "both would be written to" in capsys.readouterr().err
