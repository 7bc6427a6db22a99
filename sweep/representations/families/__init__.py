"""The families of representations: a module each, found by the registry."""
