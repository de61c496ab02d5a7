import pytest
from toy_training import ToyData, toy

from keras_ff.models.epochs import SetEpoch


@pytest.mark.parametrize("workers", [1, 2])
def test_the_data_see_the_epoch_that_trains(workers):
    data = ToyData()
    data.workers = workers
    data.seen.clear()
    model = toy()
    model.fit(data, epochs=3, initial_epoch=1, verbose=0, shuffle=False, callbacks=[SetEpoch(data)])
    # Before the first epoch Keras looks at a batch or two for their shapes.
    trained = data.seen[-2 * len(data) :]
    assert sorted(trained) == [(epoch, index) for epoch in (1, 2) for index in range(len(data))]


def test_data_without_an_epoch_are_refused():
    with pytest.raises(TypeError, match="Received list"):
        SetEpoch([])
