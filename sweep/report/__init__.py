"""Compare the results below a folder in tables: on the terminal, and in files beside the results."""

from sweep.report.report import Report, print_reports, read_report
from sweep.results.table import build_table

__all__ = ["Report", "build_table", "print_reports", "read_report"]
