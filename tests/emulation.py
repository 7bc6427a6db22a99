"""CUDA C compiled for the host, with a thread for each of a GPU's: its sources run where there is no GPU."""

import ctypes
import re
import subprocess
from pathlib import Path
from types import ModuleType

import torch

_EMULATOR = Path(__file__).with_name("emulator")
# What only a GPU has: dynamic shared memory, barriers among some threads of a block, fast functions.
_REPLACED = (
    (r"extern __shared__ (?:__align__\(16\) )?(\w+) shared\[\];", r"\1* shared = (\1*)emulated_shared;"),
    (r"if constexpr \(T <= 32\)\s*__syncwarp\(\);\s*else\s*asm volatile\([^\n]*\);", "emulated_meet(group);"),
    (r'asm volatile\("" : "\+l"[^\n]*', ""),
    (r'asm\("sqrt[^\n]*', "y = std::sqrt(x);"),
    (r"__logf", "std::log"),
    (r'extern "C" ', ""),
)


def compile_for_the_host(folder: Path, launcher: ModuleType, constants: dict[str, int]) -> ctypes.CDLL:
    """The kernels of the source beside a module, with a function run_<name> for each.

    Args:
        folder: for what is compiled.
        launcher: the module, sweep/engines/gpu/<name>.py.
        constants: what the preprocessor defines.
    """
    path = Path(launcher.__file__).with_suffix(".cu")
    source = path.read_text()
    for pattern, replacement in _REPLACED:
        source = re.sub(pattern, replacement, source)
    (folder / "kernel.inc").write_text(source)
    library = folder / f"{'-'.join(map(str, constants.values()))}.so"
    command = ["g++", "-std=c++20", "-O0", "-w", "-shared", "-fPIC", "-pthread", f"-I{folder}"]
    command += [f"-D{name}={value}" for name, value in constants.items()]
    subprocess.run([*command, "-o", library, (_EMULATOR / path.name).with_suffix(".cpp")], check=True)
    return ctypes.CDLL(str(library))


def on_the_host(function):
    """A function of that library, to be called as `nvrtc.Kernel` is."""

    def launch(blocks: int, _, shared_bytes: int, *arguments) -> None:
        tensors = [ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in arguments[:-1]]
        function(blocks, shared_bytes, *tensors, ctypes.byref(arguments[-1]))

    return launch
