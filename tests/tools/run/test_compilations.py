"""Words about what takes the time of the first epoch."""

from ase.build import bulk

import keras_ff as kff
from keras_ff_tools.run.compilations import Compilations


def test_each_shape_is_named_once_with_its_time(capsys):
    model = kff.ForceField(kff.potentials.StillingerWeber.silicon())
    data = kff.data.Dataset([bulk("Si")] * 2 + [bulk("Si", cubic=True)] * 2, model, batch_size=1)
    callback = Compilations(data)
    callback.on_train_begin()
    for _ in range(2):
        for batch in range(len(data)):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(data.shapes) == 2 and all(line.endswith("... 0 s") for line in lines)
    assert {"compiling shape 1 of 2", "compiling shape 2 of 2"} == {line.split(":")[0] for line in lines}
    assert sorted(data.shape(batch) for batch in range(4)) == sorted(2 * data.shapes)
