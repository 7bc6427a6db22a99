"""The models behind the front-ends: a module each, found by the registry."""
