"""Representations: each is one YAML file under conf/representation and one row of the table.

A row is a pipeline from audio to features: `levels`, a transform (`families`), `compressions`, `normalisations` and
`stacks`; `framing` places its frames.
"""

from sweep.representations.compressions import Compression
from sweep.representations.filtered import Filtered
from sweep.representations.representation import STEPS, Representation, from_tree

__all__ = ["STEPS", "Compression", "Filtered", "Representation", "from_tree"]
