"""Molecular dynamics, and averages over simulations as differentiable functions of the weights of a model."""

from keras_ff.simulation.dynamics import Dynamics
from keras_ff.simulation.ensembles import NPT, NVE, Langevin, NoseHoover
from keras_ff.simulation.rollout import Rollout
from keras_ff.simulation.sampling import Sampling
from keras_ff.simulation.trajectory import Trajectory

__all__ = ["NPT", "NVE", "Dynamics", "Langevin", "NoseHoover", "Rollout", "Sampling", "Trajectory"]
