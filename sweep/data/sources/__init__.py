"""The data sources, one module for each layout of a folder; the registry finds them."""
