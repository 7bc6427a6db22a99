"""The command line: `sweep KEY=VALUE ...` trains and compares runs; `sweep COMMAND ...` runs a sub-command."""
