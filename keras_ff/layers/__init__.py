"""Layers and functions that potentials are made of: cutoffs, radial functions, spherical harmonics, descriptors, networks."""

from keras_ff.layers.atomic_networks import MLP, LinearPlusMLP, ResNet
from keras_ff.layers.base import Descriptor
from keras_ff.layers.cutoffs import cosine_cutoff, polynomial_cutoff
from keras_ff.layers.harmonics import solid_harmonics, spherical_harmonics
from keras_ff.layers.legendre import LegendreSeries
from keras_ff.layers.mixed_power_spectrum import MixedPowerSpectrum
from keras_ff.layers.power_spectrum import FullPowerSpectrum, PowerSpectrum
from keras_ff.layers.spherical_bessel import SphericalBessel
from keras_ff.layers.spline_filters import SplineFilters
from keras_ff.layers.splines import CubicSpline, Roughness

__all__ = [
    "CubicSpline",
    "Descriptor",
    "FullPowerSpectrum",
    "LegendreSeries",
    "LinearPlusMLP",
    "MLP",
    "MixedPowerSpectrum",
    "PowerSpectrum",
    "ResNet",
    "Roughness",
    "SphericalBessel",
    "SplineFilters",
    "cosine_cutoff",
    "polynomial_cutoff",
    "solid_harmonics",
    "spherical_harmonics",
]
