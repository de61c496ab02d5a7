"""The potentials that `--potential` names."""

from pathlib import Path

import pytest

import keras_ff as kff
from keras_ff_tools.run.potentials import POTENTIALS, is_file, is_saved_model, kind_of, make
from keras_ff_tools.run.settings import Settings

FILES = Path(__file__).parents[2] / "potentials" / "files"


@pytest.mark.parametrize("name", POTENTIALS)
def test_every_name_makes_its_potential(name):
    potential = make(Settings(train="a.xyz", potential=name), POTENTIALS[name].species or ["Si"])
    kinds = [type(term).__name__ for term in potential.terms()]
    assert kinds[0] == POTENTIALS[name].name and potential.trainable_weights


def test_options_reach_the_potential():
    network = make(Settings(train="a.xyz", n_max=3, cutoff=4.5, members=2, seed=7, units="8,4"), ["Ga", "As"])
    assert network.network.units == (8, 4)
    assert (network.n_max, network.cutoff, network.members, network.seed, network.species) == (3, 4.5, 2, 7, ["Ga", "As"])
    classical = make(Settings(train="a.xyz", potential="sw", cutoff=4.5, train_parameters="A,B,lam"), ["Si"])
    assert classical.trained == ["lam", "A", "B"] and classical.cutoff == 4.5
    assert "epsilon" not in make(Settings(train="a.xyz", potential="SW"), ["Si"]).trained


@pytest.mark.parametrize(
    ("file", "name", "species"),
    [
        ("GaN.sw", "StillingerWeber", ["N", "Ga"]),
        ("SiC.tersoff", "Tersoff", ["Si"]),
        ("meam_spline/Ti.meam.spline", "SplineMEAM", ["Ti"]),
    ],
)
def test_a_parameter_file_is_read_for_the_species_of_the_data(file, name, species):
    settings = Settings(train="a.xyz", potential=FILES / file)
    assert settings.potential_file and settings.cutoff is None
    potential = make(settings, species, settings.potential)
    assert type(potential).__name__ == name and potential.species == species


def test_names_files_and_saved_models_are_told_apart(tmp_path):
    assert kind_of("Tersoff") is POTENTIALS["tersoff"] and not is_file("sw") and is_file("a/sw.edip")
    assert is_saved_model("runs/a.keras") and is_saved_model(str(tmp_path)) and not is_saved_model("edip")
    assert Settings(train="a.xyz", potential="a.keras").start == "a.keras"


@pytest.mark.parametrize(
    ("options", "species", "message"),
    [
        ({"potential": "tersof"}, ["Si"], "Received --potential tersof. Did you mean 'tersoff'?"),
        ({"potential": "a.xyz"}, ["Si"], "a parameter file of LAMMPS .*Received --potential a.xyz"),
        ({"potential": "sw", "n_max": 4}, ["Si"], "--n-max is no option of sw, which has --cutoff, --train-parameters.*neuralil"),
        ({"potential": "sw", "members": 4}, ["Si"], "--members is no option of sw.*neuralil or spline-network"),
        ({"train_parameters": ["A"]}, ["Si"], "--train-parameters is no option of neuralil.*train sw or edip or tersoff or bks"),
        ({"potential": "edip"}, ["Ge", "Si"], "edip has published parameters for Si, and none for Ge: give .*FILE.edip or train"),
        ({"potential": "bks"}, ["O", "Ti"], "none for Ti: train a network, --potential neuralil"),
        ({"potential": "sw", "train_parameters": "A,lamb"}, ["Si"], "Received --train-parameters lamb. Did you mean 'lam'?"),
        ({"potential": "sw", "cutoff": 3.0}, ["Si"], "parameters of sw reach to 3.77118 Å. Received --cutoff 3: give a larger one"),
        ({"members": 1}, ["Si"], "members: .*greater than or equal to 2"),
    ],
)
def test_what_does_not_fit_is_a_sentence(options, species, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")) as error:
        make(Settings(train="a.xyz", **options), species)
    assert "\n" not in str(error.value)


def test_a_file_without_an_element_of_the_data_is_named():
    settings = Settings(train="a.xyz", potential=FILES / "Si.sw")
    with pytest.raises(ValueError, match="Si.sw has no entry for Ge Ge Ge"):
        make(settings, ["Ge"], settings.potential)


def test_the_potentials_are_those_of_the_library():
    for kind in POTENTIALS.values():
        assert issubclass(getattr(kff.potentials, kind.name), kff.potentials.Potential)
