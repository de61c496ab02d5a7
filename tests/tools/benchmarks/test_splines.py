import pytest


@pytest.mark.slow
def test_splines(rows):
    from keras_ff_tools.benchmarks import splines

    try:
        splines.potential_file(None)
    except FileNotFoundError:
        pytest.skip("LAMMPS with its potentials is not installed")
    splines.titanium(cells=2, steps=4, repeats=1)
    assert "SplineMEAM" in rows()[0]
