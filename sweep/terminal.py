"""What is printed is a copy of what is written: a terminal that cannot show a character gets a question mark."""

import sys


def replace_unencodable() -> None:
    """Make stdout and stderr of this process print "?" for a character that their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None without a terminal on Windows, others where output is captured
            stream.reconfigure(errors="replace")
