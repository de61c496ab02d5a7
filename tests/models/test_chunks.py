"""Atoms are computed in chunks, which changes no result."""

import numpy as np
from ase.build import bulk

import keras_ff as kff
from keras_ff import backend
from keras_ff.models import chunks


def test_atoms_in_chunks_give_what_all_atoms_at_once_give(float64, monkeypatch):
    model = kff.ForceField(kff.potentials.RepulsiveMorse(["Cu"], cutoff=4.0))
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.1, seed=0)
    batch, _ = kff.data.Dataset([atoms], model, batch_size=1)[0]
    results = []
    for name, size in (("CHUNK", 32), ("CHUNK", 15), ("PAIRS", 60)):
        monkeypatch.setitem(getattr(chunks, name), False, size)
        outputs = backend.jit(lambda batch: model(batch), layer=model)(batch)
        results.append({name: np.asarray(value) for name, value in outputs.items()})
    for other in results[1:]:
        for name in results[0]:
            np.testing.assert_allclose(other[name], results[0][name], rtol=1e-12, atol=1e-12)
