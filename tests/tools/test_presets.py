"""`keras-ff presets`, and whether the cards say the truth about the errors."""

from pathlib import Path

import pytest

import keras_ff as kff

ROOT = Path(__file__).parents[2]
# The whole sets; silicon and molybdenum are in the repository.
SETS = ROOT.parent / "shared" / "data"
# Entries of a row about a spread.
SIZES, QUALITIES = ("error", "spread", "expected"), ("correlation", "deviation")
MEASURED = [name for name, about in kff.presets().items() if about["errors"]]


def structures_of_test(name, folder):
    """Test set of a preset, with the groups of its card."""
    from keras_ff_tools.benchmarks import ean

    if name == "ethylammonium_nitrate":
        files = [Path(ean.split(SETS / "neuralil", folder)[1])] if (SETS / "neuralil").exists() else []
    else:
        (symbol,) = kff.presets()[name]["species"]
        sources = (ROOT / "tutorials" / "data", ".gz"), (SETS / "mlearn", "")
        files = [source / f"{symbol}_test.xyz{ending}" for source, ending in sources]
    file = next((file for file in files if file.exists()), None)
    if file is None:
        pytest.skip(f"the test set of {name} is not in {SETS}")
    return kff.data.read(file)


def claims_hold(name, structures, groups=None):
    """Compare the errors of a preset with its card, of all structures of the test set or of those of some groups."""
    from keras_ff_tools.run.evaluation import group_of, predict, spreads

    model, about = kff.ForceField.from_preset(name), kff.presets()[name]
    structures = [atoms for atoms in structures if groups is None or group_of(atoms) in groups]
    found = {(row["group"], row["label"]): row for row in predict(model, structures, progress=False).errors()}
    claimed = [row for row in about["errors"] if groups is None or row["group"] in groups]
    assert claimed
    for row in claimed:
        now = found["all" if groups else row["group"], row["label"]]
        assert now["count"] == row["count"]
        for measure in ("mae", "rmse", "largest"):
            # Energies of some 100 eV in float32; forces and stress likewise, to the digits of the card.
            assert now[measure] == pytest.approx(row[measure], rel=2e-3, abs=0.02), row
    if "spreads" in about:
        for row, now in zip(about["spreads"], spreads(model, structures), strict=True):
            assert (now["label"], now["count"]) == (row["label"], row["count"])
            assert [now[size] for size in SIZES] == pytest.approx([row[size] for size in SIZES], rel=2e-3, abs=0.02), row
            assert [now[what] for what in QUALITIES] == pytest.approx([row[what] for what in QUALITIES], abs=5e-3), row


def test_the_card_of_silicon_holds_for_its_surfaces(tmp_path):
    claims_hold("silicon_mlearn", structures_of_test("silicon_mlearn", tmp_path), ["Surface"])


@pytest.mark.slow
@pytest.mark.parametrize("name", MEASURED)
def test_the_errors_of_every_card_hold(name, tmp_path):
    claims_hold(name, structures_of_test(name, tmp_path))


def test_the_table_names_every_preset(keras_ff):
    done = keras_ff("presets")
    assert done.status == 0, done.err
    for name in kff.presets():
        assert name in done.out
    assert "KiB" in done.out and "meV/Å" in done.out and "Stillinger-Weber silicon" in done.out


def test_a_card_is_printed_and_an_unknown_name_is_a_sentence(keras_ff):
    done = keras_ff("presets", "silicon_edip")
    assert done.status == 0 and "## License" in done.out and "The files are in" in done.out
    done = keras_ff("presets", "silicon")
    assert done.status == 2 and "There is no preset 'silicon'." in done.err


def test_a_preset_is_a_model_of_other_verbs(keras_ff):
    done = keras_ff("info", "preset:silicon_edip")
    assert done.status == 0 and "EDIP" in done.out and "SHA" not in done.err
