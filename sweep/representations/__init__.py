"""Representations: each is one YAML file under conf/representation and one row of the table."""

from sweep.representations.representation import Representation, from_tree

__all__ = ["Representation", "from_tree"]
