"""A run is its folder: its state, its progress, its result, and what a report needs of it."""
