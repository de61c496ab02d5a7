"""One small example of every potential of the library, in a dtype, and structures for them."""

from ase.build import bulk

from keras_ff.potentials import (
    BKS,
    EDIP,
    ZBL,
    Committee,
    DampedShiftedForce,
    ElementNetworks,
    Ewald,
    NeuralIL,
    PairSpline,
    RepulsiveMorse,
    SplineMEAM,
    SplineNetwork,
    StillingerWeber,
    Sum,
    Tersoff,
)

SPECIES = ["Si", "O"]

POTENTIALS = {
    "BKS with Ewald": lambda dtype: BKS.silica(Ewald(SPECIES, [2.4, -1.2], cutoff=4.0, dtype=dtype), cutoff=4.0, dtype=dtype),
    "BKS with damped charges": lambda dtype: BKS.silica(
        DampedShiftedForce(SPECIES, [2.4, -1.2], alpha=0.25, cutoff=4.0, dtype=dtype), cutoff=4.0, dtype=dtype
    ),
    "Committee": lambda dtype: Committee(
        [NeuralIL(SPECIES, cutoff=3.0, n_max=2, dtype=dtype), SplineNetwork(SPECIES, cutoff=3.5, dtype=dtype)]
    ),
    "EDIP": lambda dtype: EDIP.silicon(dtype=dtype),
    "ElementNetworks": lambda dtype: ElementNetworks(SPECIES, cutoff=3.5, dtype=dtype),
    "NeuralIL": lambda dtype: NeuralIL(SPECIES, cutoff=3.5, n_max=2, dtype=dtype),
    "NeuralIL as published": lambda dtype: NeuralIL.published(SPECIES, cutoff=3.5, n_max=2, dtype=dtype),
    "NeuralIL with members": lambda dtype: NeuralIL(SPECIES, cutoff=3.5, n_max=2, members=2, learned_noise=True, dtype=dtype),
    "PairSpline": lambda dtype: PairSpline(SPECIES, cutoff=3.5, dtype=dtype),
    "RepulsiveMorse": lambda dtype: RepulsiveMorse(SPECIES, dtype=dtype),
    "SplineMEAM": lambda dtype: SplineMEAM.untrained(SPECIES, cutoff=3.5, dtype=dtype),
    "SplineNetwork": lambda dtype: SplineNetwork(SPECIES, cutoff=3.5, dtype=dtype),
    "StillingerWeber": lambda dtype: StillingerWeber.silicon(dtype=dtype),
    "Sum": lambda dtype: Sum([NeuralIL(SPECIES, cutoff=3.5, n_max=2, dtype=dtype), ZBL(SPECIES, dtype=dtype)]),
    "Tersoff": lambda dtype: Tersoff.silicon(dtype=dtype),
}


def structure(potential):
    """A small crystal, off its symmetric positions."""
    atoms = bulk("SiO", "zincblende", a=4.6, cubic=True) if "O" in potential.species else bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=1)
    return atoms
