"""Functions of batches over a data set: one result for each structure, in their order, without padding."""

import numpy as np
import pytest
from ase.build import bulk
from keras import ops
from small_data import copper

import keras_ff as kff

pytestmark = pytest.mark.usefixtures("float64")


@pytest.fixture
def model():
    return kff.ForceField(kff.potentials.RepulsiveMorse(["Cu"], cutoff=3.5))


def structures():
    """Of different sizes, so that batches have padding and come in another order; one without labels."""
    small, large = bulk("Cu", a=3.6), bulk("Cu", a=3.6, cubic=True) * (2, 1, 1)
    small.rattle(0.1, seed=0)
    large.rattle(0.1, seed=1)
    return [large, copper(1)[0], small, *copper(3)[1:]]


@pytest.mark.slow_on_tensorflow
def test_results_come_in_the_order_of_the_structures_without_padding(model):
    data = kff.data.Dataset(structures(), model, batch_size=2, max_shapes=2)

    def error(batch, labels):
        outputs = model(batch)
        return {"energy": outputs["energy"], "forces": outputs["forces"], "label": labels["energy"]}

    rows = model.map(error, data)
    assert [row["forces"].shape for row in rows] == [(len(atoms), 3) for atoms in data.structures]
    expected = model.predict(data, verbose=0)
    for index, row in enumerate(rows):
        np.testing.assert_allclose(row["energy"], expected["energy"][index], rtol=1e-12)
        np.testing.assert_allclose(row["forces"], expected["forces"][index, : len(row["forces"])], atol=1e-12)
    assert [bool(np.isnan(row["label"][0])) for row in rows] == [atoms.calc is None for atoms in data.structures]


def test_any_result_of_atoms_can_be_named_and_weights_are_those_of_now(model):
    data = kff.data.Dataset(structures(), model, batch_size=2)

    def neighbors(batch, _):
        return {
            "count": ops.sum(batch["neighbors"] >= 0, axis=2),
            "depth": ops.exp(model.potential.log_well_depth) + 0 * batch["cell"][:, 0, :1],
        }

    counts = [row["count"] for row in model.map(neighbors, data, per_atom=["count"])]
    assert [len(row) for row in counts] == [len(atoms) for atoms in data.structures] and min(row.min() for row in counts) > 0
    model.potential.log_well_depth.assign([np.log(7.0)])
    assert [row["depth"][0] for row in model.map(neighbors, data, per_atom=["count"])] == pytest.approx([7.0] * len(counts))
