"""Entry point of `sweep` and `python -m sweep`: runs the named sub-command, or a sweep if none is named."""

import sys

from sweep.missing import one_line_if_missing


@one_line_if_missing("sweep")
def main() -> None:
    """Run the command line."""
    from sweep.commands import parser

    words = sys.argv[1:]
    if words and words[0] in parser.COMMANDS:
        sys.exit(parser.main(words))
    from sweep.commands import train

    train.main(words)


if __name__ == "__main__":
    main()
