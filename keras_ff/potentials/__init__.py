"""Potentials: layers from neighborhoods to atomic energies."""

from keras_ff.potentials.base import Potential
from keras_ff.potentials.neuralil import NeuralIL
from keras_ff.potentials.repulsion import ZBL, RepulsiveMorse
from keras_ff.potentials.stillinger_weber import StillingerWeber
from keras_ff.potentials.sum import Sum

__all__ = ["NeuralIL", "Potential", "RepulsiveMorse", "StillingerWeber", "Sum", "ZBL"]
