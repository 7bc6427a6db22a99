"""Read a file of NumPy's arrays that may be damaged, without believing what it says of its own size."""

import io
import math
import zipfile
from pathlib import Path

import numpy as np

from sweep.results.json_files import NO_ACCESS

LARGEST = 64 << 20  # bytes of all arrays together; evidence of a thousand recordings takes 5 MB

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others can make gigabytes of some bytes
ODDLY_PACKED = "it is packed in a way that no run packs it"


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file; objects, which would be unpickled, are refused.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: the file is damaged.
    """
    try:
        with zipfile.ZipFile(path) as file:
            members = file.infolist()
            claimed = sum(member.file_size for member in members)
            if any(member.compress_type not in PACKED for member in members):
                raise ValueError(ODDLY_PACKED)
            if claimed > LARGEST:
                raise ValueError(f"it says that it holds {claimed:,} bytes")
            return {member.filename.removesuffix(".npy"): array_of(file.read(member)) for member in members}
    except Exception as error:  # damaged bytes raise what they like, from each of the decoders
        if isinstance(error, NO_ACCESS):
            raise
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None


def array_of(content: bytes) -> np.ndarray:
    """Read one .npy file, whose header must agree with its length.

    Raises:
        ValueError: it does not, or there is no header.
    """
    file = io.BytesIO(content)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, fortran, dtype = read_header[np.lib.format.read_magic(file)](file)
    start = file.tell()
    if dtype.hasobject or not dtype.itemsize or dtype.itemsize * math.prod(shape) != len(content) - start:
        raise ValueError(f"an array of {dtype} and shape {shape} does not take {len(content) - start:,} bytes")
    return np.frombuffer(content, dtype, offset=start).reshape(shape, order="F" if fortran else "C").copy()
