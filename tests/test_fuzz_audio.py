"""Damaged audio files end in samples or in one line with the file's name, soon, and in memory that fits the file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzed_audio import SECONDS

TESTS = Path(__file__).parent
GROWTH = 100e6  # bytes; up to 8e6 measured, for 12,000 files


@pytest.mark.parametrize(
    ("first", "count"), [(0, 150), *[pytest.param(n * 1000, 1000, marks=pytest.mark.long) for n in range(1, 5)]]
)
def test_damaged_audio_ends_in_a_line(first, count, tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, TESTS / "fuzzed_audio.py", tmp_path, str(first), str(count)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60 + SECONDS * count)
    *_, seed, grew = ended.stdout.splitlines()
    assert ended.returncode == 0, f"seed {grew if ended.returncode else seed}: {ended.stderr[-3000:]}"
    assert float(grew.split()[1]) < GROWTH
