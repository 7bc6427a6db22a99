"""The configuration of a run: its groups, its identity, its folder and its row's name."""

from sweep.config.elsewhere import DataSet, OtherSet
from sweep.config.groups import (
    ACCURACIES,
    Augment,
    Cluster,
    Control,
    Data,
    FrontEnd,
    HostCluster,
    Logger,
    Model,
    Protocol,
    SlurmCluster,
)
from sweep.config.run import RunConfig, differences, identity

__all__ = [
    "ACCURACIES", "Augment", "Cluster", "Control", "Data", "DataSet", "FrontEnd", "HostCluster", "Logger", "Model",
    "OtherSet", "Protocol", "RunConfig", "SlurmCluster", "differences", "identity",
]  # fmt: skip
