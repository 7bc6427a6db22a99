"""Score finished runs anew from the probabilities that they kept: other labels, thresholds, tolerances, frames."""
