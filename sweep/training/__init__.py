"""One run: load the recordings, build or resume the model, train, score, write the result."""
