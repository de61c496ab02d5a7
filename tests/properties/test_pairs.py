"""Smeared pair distances."""

import numpy as np
import pytest
from ase.build import bulk

from keras_ff.properties import RadialDistribution

pytestmark = pytest.mark.usefixtures("float64")
RADII = np.linspace(1.5, 6.0, 60)


def gaussians(atoms, radii, width, centers, others):
    """g(r) by the definition: a Gaussian for each pair, images included."""
    distances = []
    shifts = np.array(np.meshgrid(*[range(-3, 4)] * 3)).reshape(3, -1).T @ atoms.cell.array
    for i in centers:
        for j in others:
            vectors = atoms.positions[j] + shifts - atoms.positions[i]
            distances.append(np.linalg.norm(vectors, axis=1))
    distances = np.concatenate(distances)
    distances = distances[distances > 1e-6]
    smeared = np.exp(-0.5 * ((radii[:, None] - distances) / width) ** 2).sum(axis=1) / (width * np.sqrt(2 * np.pi))
    return smeared * atoms.get_volume() / (len(centers) * len(others) * 4 * np.pi * radii**2)


@pytest.mark.slow_on_tensorflow
def test_distances_are_smeared_by_gaussians_and_partials_add_up():
    atoms = bulk("SiC", "zincblende", a=4.36, cubic=True)
    atoms.rattle(0.1, seed=2)
    silicon, carbon = (np.flatnonzero(atoms.symbols == symbol) for symbol in ("Si", "C"))
    everyone = range(len(atoms))
    peak = 20.0
    for pair, who in ((None, (everyone, everyone)), (("Si", "C"), (silicon, carbon)), (("C", "C"), (carbon, carbon))):
        found = RadialDistribution.of_trajectory([atoms], RADII, width=0.1, pair=pair)
        expected = gaussians(atoms, RADII, 0.1, *who)
        assert expected.max() < peak
        # The spline is no Gaussian: its fourth moment is that of one to a thousandth of the peak.
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * peak)
    parts = [RadialDistribution.of_trajectory([atoms], RADII, pair=pair) for pair in (("Si", "Si"), ("Si", "C"), ("C", "C"))]
    np.testing.assert_allclose(
        RadialDistribution.of_trajectory([atoms], RADII), (parts[0] + 2 * parts[1] + parts[2]) / 4, rtol=0, atol=1e-9
    )


def test_what_has_no_distribution():
    silicon = bulk("Si", cubic=True)
    with pytest.raises(ValueError, match="Radii are positive numbers in Å"):
        RadialDistribution.of_trajectory([silicon], [0.0, 1.0])
    with pytest.raises(ValueError, match="pair is two elements of Si8"):
        RadialDistribution.of_trajectory([silicon], RADII, pair=("Si", "O"))
    silicon.pbc = False
    with pytest.raises(ValueError, match="Si8 has no density"):
        RadialDistribution.of_trajectory([silicon], RADII)
