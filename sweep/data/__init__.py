"""Recordings with note labels: read from a folder, held in memory, cut into windows."""
