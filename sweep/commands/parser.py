"""List the sub-commands and parse their arguments; the module of a sub-command is imported when it is called."""

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from sweep.names import plain

COMMANDS = {
    "plan": "print the runs of a sweep with expected time, disk and GPU memory; start nothing",
    "status": "print which runs are done, running, failed and to do, and the time left",
    "report": "print the comparison and write it as tables, page and pictures",
    "rescore": "score finished runs anew under other labels, thresholds or tolerances, without training",
    "transcribe": "write the notes that a trained run hears in audio files",
    "features": "write what a row's model sees of audio files",
    "list": "print the representations, models, data sets and protocols",
    "data": "check a data folder: print what it holds and every problem",
    "download": "fetch and unpack MusicNet",
}


def main(words: Sequence[str]) -> int:
    """Run a sub-command.

    Args:
        words: words of the command line; the first one is a name in COMMANDS.

    Returns:
        The exit code: 2, with one line on stderr, if the command could not do its work; otherwise the command's own.
    """
    name = words[0]
    module = importlib.import_module(f"sweep.commands.{name}")
    parser = argparse.ArgumentParser(prog=f"sweep {name}", formatter_class=argparse.RawDescriptionHelpFormatter)
    module.configure(parser)
    # KEY=VALUE may stand behind an option. Not so for `plan`, whose words are Hydra's; and others take "--".
    parse = parser.parse_intermixed_args if name in ("data", "rescore") else parser.parse_args
    arguments = parse(words[1:])
    try:
        return module.run(arguments)
    except (OSError, ValueError) as error:
        print(plain(f"sweep {name}: {error}"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def suggest(word: str) -> str:
    """Return what was probably meant by a word that is no sub-command."""
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(COMMANDS)}, and KEY=VALUE starts a sweep"
