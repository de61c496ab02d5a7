import pytest
from silicon_run import SILICON

from keras_ff.data import read
from keras_ff_tools.run.doubts import print_doubts


def test_data_that_contradict_themselves_are_refused_and_others_printed(capsys):
    structures = read(SILICON)
    print_doubts(structures, len(structures), force=False, name="test")
    assert "nothing suspicious of the test set" in capsys.readouterr().out
    for atoms in structures:
        atoms.calc.results["forces"] = -atoms.calc.results["forces"]
    print_doubts(structures, len(structures))
    assert "wrong sign" in capsys.readouterr().out
    with pytest.raises(ValueError, match="the forces have the wrong sign.*--force"):
        print_doubts(structures, len(structures), force=False)
