"""Potentials: layers from neighborhoods to atomic energies."""

from keras_ff.potentials.base import Potential
from keras_ff.potentials.bks import BKS
from keras_ff.potentials.committee import Committee
from keras_ff.potentials.coulomb import DampedShiftedForce, Ewald
from keras_ff.potentials.edip import EDIP
from keras_ff.potentials.element_networks import ElementNetworks
from keras_ff.potentials.neuralil import NeuralIL
from keras_ff.potentials.repulsion import ZBL, RepulsiveMorse
from keras_ff.potentials.spline_domains import spline_domains
from keras_ff.potentials.spline_meam import SplineMEAM
from keras_ff.potentials.spline_network import PairSpline, SplineNetwork
from keras_ff.potentials.stillinger_weber import StillingerWeber
from keras_ff.potentials.sum import Sum
from keras_ff.potentials.tersoff import Tersoff

__all__ = [
    "BKS",
    "Committee",
    "DampedShiftedForce",
    "EDIP",
    "ElementNetworks",
    "Ewald",
    "NeuralIL",
    "PairSpline",
    "Potential",
    "RepulsiveMorse",
    "SplineMEAM",
    "SplineNetwork",
    "StillingerWeber",
    "Sum",
    "Tersoff",
    "ZBL",
    "spline_domains",
]
