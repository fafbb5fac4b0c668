"""Everything about run directories: training, evaluation, samples, exports and reports."""
