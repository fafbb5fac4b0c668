"""The life of a run directory: from a config to training, evaluation, samples, exports and reports."""
