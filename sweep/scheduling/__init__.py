"""Which runs a sweep has, in which order, and on which processes, hosts or SLURM jobs they go."""
