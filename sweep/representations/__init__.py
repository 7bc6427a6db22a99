"""A representation is data: one YAML file under conf/representation, one row of the table."""

from sweep.representations.representation import Representation, from_tree

__all__ = ["Representation", "from_tree"]
