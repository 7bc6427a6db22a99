"""Puts the results below a folder into a table: on the terminal, as files beside them."""

from sweep.report.table import build_table, print_reports

__all__ = ["build_table", "print_reports"]
