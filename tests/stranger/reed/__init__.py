"""Models and features for reed instruments."""
