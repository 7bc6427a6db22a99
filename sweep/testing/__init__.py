"""Checks of a class of one's own for any test runner: what the project's own models, families and sources are held to.

Each is a plain function that returns nothing, or raises a ValueError: one line that names the class, what is wrong and
the remedy.

    from sweep.testing import check_model

    def test_mine():
        check_model(Mine, hidden=16)
"""

from sweep.testing.compressions import check_compression
from sweep.testing.families import check_family
from sweep.testing.models import check_model
from sweep.testing.sources import check_source

__all__ = ["check_compression", "check_family", "check_model", "check_source"]
