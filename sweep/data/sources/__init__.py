"""The data sets that can be read: a module for each way in which a folder may be laid out, found by the registry."""
