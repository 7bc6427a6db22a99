"""Show the page of a report where its reader is: below a notebook's cell, or as a file."""

import html
from pathlib import Path

from rich.console import Console

from sweep.names import plain, say
from sweep.report.page import page, write_page
from sweep.report.report import Report
from sweep.terminal import in_notebook

# Otherwise a link to a part of the page leads to that part of the notebook.
_BASE = '<base href="about:srcdoc">'


def show(report: Report, height: int) -> Path | None:
    """Show the page of a report, `Report.show`.

    Args:
        report: report of one folder.
        height: height of the page in a notebook, in pixels.
    """
    if not in_notebook():
        console = Console(highlight=False)
        path, _ = write_page(console, report, None)
        if path:
            say(console, f"{path}: the table and all pictures in one file; pictures/ beside it: as PNG and PDF")
        return path
    from IPython.display import display

    text = f"the page of {plain(str(report.folder))}"
    display({"text/plain": text, "text/html": frame(page(report, *report.drawn, None), height)}, raw=True)
    return None


def frame(text: str, height: int) -> str:
    """Put a page into a frame of another one, as an <iframe> element that holds all of it.

    Args:
        text: the page as HTML.
        height: height of the frame in pixels.
    """
    inside = html.escape(text.replace("<head>", f"<head>{_BASE}", 1))
    return f'<iframe srcdoc="{inside}" width="100%" height="{int(height)}" style="border: 0"></iframe>'
