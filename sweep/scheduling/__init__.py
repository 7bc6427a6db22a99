"""Plan a sweep's runs and distribute them over processes, GPUs or SLURM jobs."""
