"""A training run in a folder: settings, data, model, schedule, training, evaluation and report."""
