"""python fuzzed_audio.py FOLDER FIRST COUNT: read damaged audio files as a training set and as `sweep transcribe` does.

Prints the seed before each file. Ends at the first error that is not one line with the file's name, is killed where a
file takes longer than SECONDS, and prints how much the largest memory grew, in bytes.
"""

import resource
import signal
import sys
from pathlib import Path

import numpy as np
import soundfile
from mutations import mutated

from sweep.data.audio import decode
from sweep.data.recording import DataError
from sweep.data.stream import opened

SECONDS, RATE = 10, 8000
# File endings and options; of each there is a mono and a stereo file of half a second.
KINDS = {
    "wav": [{}, {"subtype": "FLOAT"}, {"subtype": "PCM_24"}, {"subtype": "IMA_ADPCM"}, {"subtype": "PCM_U8"}],
    "flac": [{}],
    "aiff": [{}, {"subtype": "DOUBLE"}],
    "ogg": [{}, {"subtype": "OPUS"}],
    "mp3": [{}],
    "au": [{}],
    "w64": [{}],
    "rf64": [{}],
    "caf": [{}, {"subtype": "ALAC_16"}],
}


def originals(folder: Path) -> list[tuple[str, bytes]]:
    """Endings and contents of whole files."""
    noise, made = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE // 2, 2)), []
    for ending, kinds in KINDS.items():
        for options in kinds:
            for channels in (1, 2):
                path = folder / f"whole.{ending}"
                soundfile.write(path, noise[:, :channels], RATE, **options)
                made.append((ending, path.read_bytes()))
    return made


def read(path: Path) -> None:
    """Read a file in both ways; each raises nothing but a line with the file's name."""
    for reader in (decode, listen):
        try:
            reader(path)
        except DataError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error), repr(error)


def listen(path: Path) -> None:
    """Read as `sweep transcribe` does, without PyTorch, which takes longer to import than most of this."""
    with opened(path) as stream:
        for _ in stream.blocks():
            pass
        assert "\n" not in stream.problem


def main(folder: Path, first: int, count: int) -> None:
    made = originals(folder)
    contents = [content for _, content in made]
    for _, content in made:  # what libraries load and keep is loaded
        (folder / "x.wav").write_bytes(content)
        read(folder / "x.wav")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(first, first + count):
        print(seed, flush=True)
        path = folder / f"x{seed}.{made[seed % len(made)][0]}"
        path.write_bytes(mutated(contents, seed))
        signal.alarm(SECONDS)
        read(path)
        signal.alarm(0)
        path.unlink()
    print("grew", 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
