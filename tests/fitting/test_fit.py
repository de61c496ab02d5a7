"""Fits to several targets, and after a kill."""

import copy
import shutil

import keras
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

import keras_ff as kff
from keras_ff import plots
from keras_ff.files.state import read_state, write_state
from keras_ff.fitting import DataTarget, Fit, Target
from keras_ff.potentials import StillingerWeber
from keras_ff.properties import ElasticConstants, EnergyPerAtom, cubic, mandel, relax
from keras_ff.testing import Probe
from keras_ff_tools.benchmarks import silica_fit as silica

pytestmark = pytest.mark.usefixtures("float64")


def model(**parameters):
    potential = StillingerWeber.silicon(train=["epsilon", "lam"])
    potential.set_parameters(**parameters)
    return kff.ForceField(potential)


def fitted_to_elastic_constants(one, folder):
    # 2 C44, as the others in the orthonormal basis.
    value = cubic(153.21414, 56.7969, 149.66528)
    elastic = ElasticConstants(one, bulk("Si", a=5.431))
    return Fit(one, {"elastic": Target(elastic, value, transform=mandel, scale=1.0, measure="norm")}, folder)


@pytest.mark.slow_on_tensorflow
def test_the_experiment_of_the_paper(tmp_path):
    """Stillinger-Weber fitted to elastic constants: optimum printed by Gangan et al., J. Chem. Theory Comput. 21, 5867 (2025)."""
    one = model(epsilon=2.16826)
    fit = fitted_to_elastic_constants(one, tmp_path)
    losses = fit.minimize(tolerance=1e-14, verbose=0)
    found = {name: float(value.ravel()[0]) for name, value in one.potential.parameters().items()}
    assert losses["total"] == pytest.approx(22.536002, rel=1e-6)
    assert [found["epsilon"], found["lam"]] == pytest.approx([1.935160954811, 33.786738320322], rel=1e-6)
    assert len(plots.fit_history(fit.history).axes[0].lines) == 1
    loaded = kff.load(tmp_path / "best.keras")
    assert float(loaded.potential.parameters()["lam"].ravel()[0]) == found["lam"]


@pytest.mark.slow_on_tensorflow
def test_silica_as_in_the_paper():
    """BKS fitted to elastic constants: losses and start gradient printed by Gangan et al. (2025), there with 768 atoms."""
    one = kff.ForceField(silica.of_the_paper())
    with pytest.warns(UserWarning, match="not stable"):
        atoms = relax(one, silica.cristobalite(), cell=False)
    target = Target(ElasticConstants(one, atoms), silica.measured(0.0), transform=mandel, scale=1.0, measure="norm")
    fit = Fit(one, {"elastic": target})
    losses, (A, C) = fit.evaluate()
    assert losses["total"] == pytest.approx(158.618076, rel=1e-6)
    # Weights are logarithms of the parameters; the paper has A and -C in kcal/mol. Both halves of a pair have weights.
    found = [2 * A[0, 1] / 471671.1243, A[1, 1] / 23138.64826, -2 * C[0, 1] / 2156.074422, -C[1, 1] / 1879.223108]
    assert found == pytest.approx([0.00941203, 0.0283369, 1.7013343, 0.09710623], rel=1e-5)
    assert fit.minimize(3, verbose=0)["total"] < 100.0

    short_range = one.potential.parts[0]
    A, C = (silica.KCAL * np.array([[0.0, x], [x, y]]) for x, y in ((470198.425758, 42338.969505), (2757.327616, 6797.318943)))
    short_range.set_parameters(A=A, C=C)
    assert fit.evaluate()[0]["total"] == pytest.approx(37.0597727, rel=1e-6)


def test_several_targets_find_the_parameters_that_made_them():
    truth, one = model(epsilon=2.0, lam=24.0), model()
    silicon = bulk("Si", a=5.43)
    structures = [silicon.copy() for _ in range(3)]
    for seed, atoms in enumerate(structures):
        atoms.rattle(0.1, seed=seed)
    for atoms, result in zip(structures, Probe(truth, silicon).evaluate(structures)):
        atoms.calc = SinglePointCalculator(atoms, energy=result["energy"], forces=result["forces"])
    fit = Fit(
        one,
        {
            "energy": Target(EnergyPerAtom(one, silicon), EnergyPerAtom(truth, silicon)(), weight=10.0),
            "data": DataTarget(structures, one),
        },
    )
    losses = fit.minimize(verbose=0)
    assert set(losses) == {"energy", "data", "total"} and losses["total"] < 1e-8
    found = one.potential.parameters()
    assert [float(found[name].ravel()[0]) for name in ("epsilon", "lam")] == pytest.approx([2.0, 24.0], rel=1e-5)


def fitted_to_energies(folder, value=-4.2, a=5.43, start=2.0, weight=1.0, energy=-8.5, forces_error=0.1, **parameters):
    """A fit to an energy per atom and to the label of a structure, without compilation until it is evaluated."""
    potential = StillingerWeber.silicon(train=["epsilon"])
    if parameters:
        potential = StillingerWeber(["Si"], {**potential.parameters(), **parameters}, train=["epsilon"])
    potential.set_parameters(epsilon=start)
    one = kff.ForceField(potential)
    labeled = bulk("Si", a=5.5)
    labeled.calc = SinglePointCalculator(labeled, energy=energy)
    energy = Target(EnergyPerAtom(one, bulk("Si", a=a)), value, weight=weight)
    return Fit(one, {"energy": energy, "data": DataTarget([labeled], one, forces_error=forces_error)}, folder)


@pytest.fixture(scope="module")
def first_fit(tmp_path_factory):
    """A fit after one step."""
    kff.enable_float64()
    fit = fitted_to_energies(tmp_path_factory.mktemp("fit"))
    fit.train(keras.optimizers.Adam(0.01), 1, verbose=0)
    return fit


@pytest.fixture
def fit(first_fit, tmp_path):
    """The same in a folder of its own."""
    shutil.copytree(first_fit.folder, tmp_path, dirs_exist_ok=True)
    fit = copy.copy(first_fit)
    fit.folder = tmp_path
    return fit


@pytest.mark.slow_on_tensorflow
def test_a_folder_of_another_fit_is_refused_and_the_difference_named(fit, tmp_path):
    for change, text in (
        ({"value": -4.3}, "target energy value: -4.2 then, -4.3 now"),
        ({"a": 5.44}, "target energy property atoms"),
        ({"weight": 2.0}, "target energy weight: 1.0 then, 2.0 now"),
        ({"energy": -8.4}, "target data data"),
        ({"forces_error": 0.2}, "target data errors forces"),
        ({"lam": 22.0}, "model potential config parameters lam"),
        ({"start": 2.1}, "the weights that the fit starts from"),
    ):
        with pytest.raises(ValueError, match=f"holds another fit. What differs: {text}.*another folder"):
            fitted_to_energies(tmp_path, **change)
    # The same script again, one that loads the best weights, and more steps.
    again = fitted_to_energies(tmp_path)
    kept = [losses["total"] for losses in again.history]
    assert again.history == fit.history[: len(kept)] and min(kept) == kept[-1] == fit.best[0]["total"]
    best = float(fit.model.potential.parameters()["epsilon"].item())
    assert fitted_to_energies(tmp_path, start=best).best[0]["total"] == again.best[0]["total"]
    assert again.minimize(3, verbose=0)["total"] < fit.best[0]["total"]
    with pytest.raises(ValueError, match="Another process has fitted.*Make it again"):
        fit.minimize(1, verbose=0)


@pytest.mark.slow_on_tensorflow
def test_a_stored_best_is_evaluated_again_and_damaged_states_are_refused(fit, tmp_path):
    losses, path = fit.best[0], tmp_path / "fit.state"
    state = read_state(path)
    write_state(path, {**state, "losses": {"total": 1e-9}})
    assert fitted_to_energies(tmp_path).best[0] == pytest.approx(losses, rel=1e-12)
    write_state(path, {**state, "values": [value * np.nan for value in state["values"]]})
    with pytest.raises(ValueError, match="not finite"):
        fitted_to_energies(tmp_path)
    for content in (path.read_bytes()[:100], b"", b"text"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="no state of a fit, or damaged.*begin anew"):
            fitted_to_energies(tmp_path)
    write_state(path, {"epochs": [1]})
    with pytest.raises(ValueError, match="no state of a fit"):
        fitted_to_energies(tmp_path)
