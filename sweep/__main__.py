"""Entry point of `sweep` and `python -m sweep`: runs the named sub-command, or a sweep if none is named."""

from sweep.program import run as main

if __name__ == "__main__":
    main()
