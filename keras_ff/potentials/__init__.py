"""Potentials: layers from the neighbors of atoms to their energies, and the roles that some of them have."""

from keras_ff.potentials.base import Potential
from keras_ff.potentials.bks import BKS
from keras_ff.potentials.committee import Committee
from keras_ff.potentials.coulomb import DampedShiftedForce, Ewald
from keras_ff.potentials.descriptor_network import DescriptorNetwork
from keras_ff.potentials.edip import EDIP
from keras_ff.potentials.element_networks import ElementNetworks
from keras_ff.potentials.learned import Learned
from keras_ff.potentials.long_range import LongRange
from keras_ff.potentials.neuralil import NeuralIL
from keras_ff.potentials.repulsion import ZBL, RepulsiveMorse
from keras_ff.potentials.spline_meam import SplineMEAM
from keras_ff.potentials.spline_network import PairSpline, SplineNetwork
from keras_ff.potentials.stillinger_weber import StillingerWeber
from keras_ff.potentials.sum import Sum
from keras_ff.potentials.tersoff import Tersoff
from keras_ff.potentials.with_members import WithMembers
from keras_ff.potentials.with_splines import WithSplines

__all__ = [
    "BKS",
    "Committee",
    "DampedShiftedForce",
    "DescriptorNetwork",
    "EDIP",
    "ElementNetworks",
    "Ewald",
    "Learned",
    "LongRange",
    "NeuralIL",
    "PairSpline",
    "Potential",
    "RepulsiveMorse",
    "SplineMEAM",
    "SplineNetwork",
    "StillingerWeber",
    "Sum",
    "Tersoff",
    "WithMembers",
    "WithSplines",
    "ZBL",
]
