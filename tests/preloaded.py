"""Python commands in processes of their own that need not import the libraries anew: forks of one that has them.

An import of torch, Lightning and the rest takes five seconds; what the commands themselves do takes one.
"""

import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path

LIBRARIES = (
    "hydra lightning matplotlib.pyplot mir_eval pandas pretty_midi rich.progress scipy.signal soundfile soxr torch"
)


class Preloaded:
    """Starts commands, one after the other.

    Args:
        environment: of all of them.
    """

    def __init__(self, environment: dict[str, str]):
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, arguments: list[str], folder: Path, output: Path) -> tuple[int, str]:
        """`python ARGUMENT ...` in a folder: its exit status, and what it printed, errors too, which goes to a file."""
        self._process.stdin.write(json.dumps([arguments, str(folder), str(output)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), output.read_text()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> tuple[list[str], str] | None:
    """Fork for each request; in the fork, return it."""
    for line in iter(sys.stdin.readline, ""):
        arguments, folder, output = json.loads(line)
        child = os.fork()
        if not child:
            file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(file, stream)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            return arguments, folder
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return None


def main() -> None:
    for library in LIBRARIES.split():
        __import__(library)
    request = serve()
    if request is None:
        return
    status = 1
    try:
        execute(*request)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)  # at a usual end, libraries wait for threads that a fork does not have


def execute(arguments: list[str], folder: str) -> None:
    """What `python ARGUMENT ...` does."""
    os.chdir(folder)
    sys.path[0] = folder
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
