from ase import Atoms

from keras_ff.data import placement
from keras_ff.data.batches import Batcher
from keras_ff.data.records import labelled_record


def test_neighbors_are_searched_once(monkeypatch):
    searches, original = [], placement.pairs_within
    monkeypatch.setattr(placement, "pairs_within", lambda *args: searches.append(args) or original(*args))
    labelled_record(Atoms("H2", [[0, 0, 0], [0, 0, 0.8]]), 0, Batcher(["H"], 2.5))
    assert len(searches) == 1
