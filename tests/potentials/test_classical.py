"""What classical potentials share: tables, what is trained, files."""

import keras
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff.potentials import EDIP, StillingerWeber
from keras_ff.potentials.classical import Table

ARRAY = np.random.default_rng(0).normal(size=(3, 3, 3))


def test_symmetries_of_tables():
    both = Table(rank=3, symmetry=("pairs", "neighbors")).symmetric(ARRAY)
    np.testing.assert_allclose(both, both.swapaxes(1, 2))
    diagonal = np.einsum("ijj->ij", both)
    np.testing.assert_allclose(diagonal, diagonal.T)
    # What is symmetric already stays, as does what needs no symmetry.
    np.testing.assert_allclose(Table(rank=3, symmetry=("pairs", "neighbors")).symmetric(both), both)
    assert np.array_equal(Table(rank=3).symmetric(ARRAY), ARRAY)
    np.testing.assert_allclose(Table(rank=2, symmetry=("pairs",)).symmetric(ARRAY[0]), (ARRAY[0] + ARRAY[0].T) / 2)


def test_what_is_trained():
    potential = StillingerWeber.silicon(train=["A", "lam"])
    assert [weight.name for weight in potential.trainable_weights] == ["lam", "A"]
    assert len(potential.weights) == len(StillingerWeber.TABLES)
    assert not StillingerWeber.silicon(train=False).trainable_weights
    with pytest.raises(ValueError, match="Received train=.*lambda"):
        StillingerWeber.silicon(train=["lambda"])
    with pytest.raises(ValueError, match="Received train='A'"):
        StillingerWeber.silicon(train="A")


def test_parameters_are_kept_to_the_last_digit_in_float32():
    potential = EDIP.silicon(dtype="float32")
    assert potential.parameters()["Q0"][0, 0, 0] == 312.1341346
    potential.set_parameters(A=8.0, u1=-0.2)
    found = potential.parameters()
    assert found["A"][0, 0] == pytest.approx(8.0, rel=1e-7) and found["u1"][0, 0, 0] == pytest.approx(-0.2, rel=1e-6)
    assert found["B"][0, 0] == 1.5075463


def test_changed_parameters_are_saved(tmp_path):
    potential = StillingerWeber.silicon(train=["A"])
    potential.set_parameters(A=8.0, sigma=2.0)
    model = kff.ForceField(potential)
    model.save(tmp_path / "model.keras")
    loaded = kff.load(tmp_path / "model.keras").potential
    assert loaded.trained == ["A"] and len(loaded.trainable_weights) == 1
    for name, value in potential.parameters().items():
        assert np.array_equal(value, loaded.parameters()[name])


def test_parameters_that_cannot_be():
    given = {name: value.ravel()[0] for name, value in StillingerWeber.silicon().parameters().items()}
    for wrong, words in [
        ({**given, "sigma": -1.0}, "sigma must be finite and not negative. Received sigma=-1.0"),
        ({**given, "q": np.nan}, "q must be finite"),
        ({**given, "A": np.ones((2, 3))}, r"A must be a number or have the shape \(2, 2\)"),
        ({**given, "A": [[1.0, 2.0], [3.0, 1.0]]}, r"A must be symmetric in pairs. Received .* for \(Ga, N\)"),
        ({"sigma": 1.0, "a": 1.0, "C": 1.0}, r"Missing: \['A', 'B'.*Unknown: \['C'\]"),
    ]:
        with pytest.raises(ValueError, match=words):
            StillingerWeber(["Ga", "N"], wrong)
    with pytest.raises(ValueError, match="q cannot|lam cannot be moved to or from 0"):
        StillingerWeber.silicon().set_parameters(lam=0.0)
    with pytest.raises(ValueError, match="Received lambda"):
        StillingerWeber.silicon().set_parameters(**{"lambda": 20.0})


def test_an_element_without_parameters_is_named():
    atoms = bulk("SiC", "zincblende", a=4.36)
    atoms.calc = kff.Calculator(kff.ForceField(StillingerWeber.silicon()))
    with pytest.raises(ValueError, match=r"does not know: \['C'\]"):
        atoms.get_potential_energy()


@pytest.mark.parametrize(
    "name", ["StillingerWeber", *(pytest.param(name, marks=pytest.mark.slow_on_tensorflow) for name in ("EDIP", "Tersoff"))]
)
def test_fit_on_batches_of_several_shapes(name):
    """TensorFlow traces one function for all shapes, with unknown numbers of atoms and neighbors."""
    crystal, small = bulk("Si", cubic=True), bulk("Si", a=4.9)
    structures = []
    for atoms in (crystal, small, crystal, small):
        atoms = atoms.copy()
        atoms.rattle(0.05, seed=len(structures))
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=np.zeros((len(atoms), 3)))
        structures.append(atoms)
    model = kff.ForceField(getattr(kff.potentials, name).silicon(train=["A"]))
    data = kff.data.Dataset(structures, model, batch_size=2)
    assert len(data.shapes) == 2
    model.compile(keras.optimizers.Adam(0.003), loss={"forces": kff.losses.LogCosh(p=10.0)}, jit_compile=True)
    losses = model.fit(data, epochs=4, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
