"""Read and write the folder of a run: state, progress, result, scores, and the data that a report draws."""
