"""Properties of structures and averages over simulations, differentiable with respect to the weights of a model."""

from keras_ff.properties.averages import Average, Density, MeanEnergy, Pressure, RadialDistribution
from keras_ff.properties.base import Property
from keras_ff.properties.cell import CellLengths
from keras_ff.properties.elastic import ElasticConstants, bulk_modulus, cubic, mandel
from keras_ff.properties.energies import CohesiveEnergy, DefectEnergy, EnergyPerAtom, EquationOfState
from keras_ff.properties.hessians import HessianProducts, hessian, third_order
from keras_ff.properties.phonons import ForceConstants, Phonons, band_path
from keras_ff.properties.structure import relax
from keras_ff.properties.thermodynamics import density_of_states, entropy, free_energy, heat_capacity, mesh
from keras_ff.properties.vibrations import VelocityAutocorrelation, VibrationalDensity

__all__ = [
    "Average",
    "CellLengths",
    "CohesiveEnergy",
    "DefectEnergy",
    "Density",
    "ElasticConstants",
    "EnergyPerAtom",
    "EquationOfState",
    "ForceConstants",
    "HessianProducts",
    "MeanEnergy",
    "Phonons",
    "Pressure",
    "Property",
    "RadialDistribution",
    "VelocityAutocorrelation",
    "VibrationalDensity",
    "band_path",
    "bulk_modulus",
    "cubic",
    "density_of_states",
    "entropy",
    "free_energy",
    "heat_capacity",
    "hessian",
    "mandel",
    "mesh",
    "relax",
    "third_order",
]
