"""What a layer of neighborhoods, or a descriptor of one's own, may leave to its base class."""

import keras
import numpy as np
import pytest
from ase.build import bulk
from keras import ops
from small_data import copper

import keras_ff as kff
from keras_ff.geometry import Neighborhood
from keras_ff.layers import Descriptor, cosine_cutoff
from keras_ff.layers.base import NeighborhoodLayer
from keras_ff.potentials import NeuralIL, Potential, Sum
from keras_ff.testing import check_layer


@keras.saving.register_keras_serializable("test_base")
class Shells(Descriptor):
    """The example of `Descriptor`: neighbors weighted by powers of a cutoff function. It writes nothing but `call`."""

    def call(self, nb):
        weights = cosine_cutoff(nb.distances, self.cutoff) * nb.mask
        return ops.stack([ops.sum(weights**power, axis=1) for power in (1, 2, 4)], axis=-1)


@keras.saving.register_keras_serializable("test_base")
class Bonds(Potential):
    def call(self, nb):
        return -0.5 * ops.sum(cosine_cutoff(nb.distances, self.cutoff) * nb.mask, axis=-1)


def neighborhood():
    vectors = ops.convert_to_tensor([[[1.0, 0.0, 0.0], [0.0, 9.0, 0.0]]], dtype="float32")
    kinds = ops.zeros((1, 2), dtype="int32")
    return Neighborhood(vectors, kinds >= 0, kinds[0, :1], kinds, 3.0)


def test_the_argument_of_call_may_have_any_name(float64):
    energies = ops.convert_to_numpy(Bonds(["Cu"], 3.0, dtype="float32")(neighborhood()))
    assert energies == pytest.approx([-0.375], rel=1e-6)
    batch, _ = kff.data.Dataset([bulk("Cu", a=3.6)], model := kff.ForceField(Sum([Bonds(["Cu"], 3.0)])), batch_size=1)[0]
    assert np.isfinite(ops.convert_to_numpy(model(batch)["energy"])).all()


def test_a_call_without_argument_is_refused_where_it_is_made():
    class Nothing(NeighborhoodLayer):
        def call(self):
            return 0.0

    with pytest.raises(TypeError, match="Nothing.call takes a Neighborhood"):
        Nothing()


def test_a_potential_or_a_descriptor_has_a_call():
    for kind, arguments in ((Potential, (["Cu"], 3.0)), (Descriptor, (3.0,))):
        with pytest.raises(TypeError, match="abstract"):
            type("Unwritten", (kind,), {})(*arguments)


def test_what_a_descriptor_needs_to_know_is_checked():
    with pytest.raises(ValueError, match="cutoff is a positive number, in Å. Received cutoff=-1"):
        Shells(-1)
    with pytest.raises(ValueError, match="n_species=0"):
        Shells(3.0, 0)


def test_laws_of_a_descriptor_that_has_nothing_but_a_call(float64):
    check_layer(Shells(3.0), bulk("Cu", a=3.6, cubic=True))


@pytest.mark.slow_on_tensorflow
@pytest.mark.parametrize("members", [None, 2])
def test_such_a_descriptor_is_all_that_a_network_needs(members, tmp_path):
    """From `adapt` through `fit` to the file, single and as a committee."""
    shells = Shells(3.5)
    assert shells.n_features == 3 and shells.groups == [slice(0, 3)] and shells.labels(["Cu"])[2] == "Shells 2"
    potential = NeuralIL(["Cu"], descriptor=shells, members=members)
    model = kff.ForceField(potential) if members is None else kff.Ensemble(potential)
    data = kff.data.Dataset(copper(4), model, batch_size=4, max_shapes=1)
    model.adapt(data)
    model.compile(keras.optimizers.Adam(1e-2), loss={"energy_per_atom": kff.losses.MSE(), "forces": kff.losses.MSE()})
    losses = model.fit(data, epochs=5, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    assert [rows.shape for rows in model.describe(data)] == [(4, 3)] * 4
    model.save(tmp_path / "model.keras")
    found, expected = (one.predict(data, verbose=0)["forces"] for one in (kff.load(tmp_path / "model.keras"), model))
    np.testing.assert_array_equal(found, expected)


def test_it_says_that_it_takes_no_new_elements():
    model = kff.ForceField(NeuralIL(["Cu"], descriptor=Shells(3.5)))
    with pytest.raises(NotImplementedError, match="Shells takes no new elements. Write its method `with_twins`"):
        model.with_species({"Au": "Cu"})


def test_what_is_no_descriptor_is_named():
    with pytest.raises(TypeError, match="keras_ff.layers.Descriptor. Received a Dense"):
        NeuralIL(["Cu"], descriptor=keras.layers.Dense(3))
