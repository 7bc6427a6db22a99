"""Puts the results below a folder into a table: on the terminal, as files beside them."""

from sweep.report.report import print_reports, read_report
from sweep.results.table import build_table

__all__ = ["build_table", "print_reports", "read_report"]
