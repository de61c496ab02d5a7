"""Training: schedules and callbacks that Keras lacks. Losses and metrics are `keras_ff.losses` and `keras_ff.metrics`."""

from keras_ff.metrics import default_metrics
from keras_ff.optimizers import GroupedAdam
from keras_ff.training.best_model import BestModel, save_model
from keras_ff.training.callbacks import EvaluateAverage, StopOnNaN, averaged_weights, has_average
from keras_ff.training.checkpoint import RunState
from keras_ff.training.logs import CSVLog, TensorBoardLog
from keras_ff.training.parallel import data_parallel
from keras_ff.training.progress import Progress
from keras_ff.training.schedules import one_cycle, one_cycle_rate

__all__ = [
    "BestModel",
    "CSVLog",
    "EvaluateAverage",
    "GroupedAdam",
    "Progress",
    "RunState",
    "StopOnNaN",
    "TensorBoardLog",
    "averaged_weights",
    "data_parallel",
    "default_metrics",
    "has_average",
    "one_cycle",
    "one_cycle_rate",
    "save_model",
]
