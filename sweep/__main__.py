"""Entry point of `sweep` and `python -m sweep`: runs the named sub-command, or a sweep if none is named."""

import sys

from sweep.terminal import one_line_if_missing, replace_unencodable


@one_line_if_missing("sweep")
def main() -> None:
    """Run the command line."""
    from sweep.commands import parser

    replace_unencodable()
    words = sys.argv[1:]
    if words and words[0] in parser.COMMANDS:
        sys.exit(parser.main(words))
    if words and words[0].isalpha():  # a key of a sweep has a "="
        sys.exit(f"sweep: {words[0]}: no such command; {parser.suggest(words[0])}")
    from sweep.commands import train

    train.main(words)


if __name__ == "__main__":
    main()
