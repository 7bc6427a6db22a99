"""The command line: `sweep KEY=VALUE ...` trains and compares; `sweep COMMAND ...` does the rest."""
