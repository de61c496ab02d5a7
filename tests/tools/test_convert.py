import re

import numpy as np
from ase.io import read, write
from ase.units import GPa
from silicon_run import SILICON

from keras_ff import data
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.settings import Settings
from keras_ff_tools.run.training import TrainingRun


def test_labels_survive(tmp_path, keras_ff):
    out = tmp_path / "out.xyz"
    done = keras_ff("convert", f"{SILICON}@0:5", "-o", out)
    assert done.status == 0, done.err
    assert re.search(r"structures +5", done.out) and re.search(r"stress +5", done.out)
    for before, after in zip(data.read(f"{SILICON}@0:5"), data.read(out), strict=True):
        one, other = data.labels(before), data.labels(after)
        np.testing.assert_allclose(after.positions, before.positions, atol=1e-8)
        for kind in one:
            np.testing.assert_allclose(other[kind], one[kind], atol=1e-7)
        assert after.info["group"] == before.info["group"]


def test_one_of_ten_structures_is_kept_for_a_test(tmp_path, keras_ff):
    train, test = tmp_path / "train.xyz", tmp_path / "test.xyz"
    done = keras_ff("convert", f"{SILICON}@0:24", "-o", train, "--test", test, "--no-check")
    assert done.status == 0 and "train.xyz: 20 structures" in done.out and "test.xyz: 3 structures" in done.out, done.err
    energies = [[data.labels(atoms)["energy"] for atoms in data.read(path)] for path in (f"{SILICON}@0:24", train, test)]
    indices = [energies[0].index(energy) for energy in energies[2]]
    assert [index // 10 for index in indices] == [0, 1, 2]
    assert energies[1] == [energy for index, energy in enumerate(energies[0]) if index not in indices]
    few = keras_ff("convert", f"{SILICON}@0:1", "-o", tmp_path / "few.xyz", "--test", tmp_path / "few_test.xyz", "--no-check")
    assert few.status == 2 and "one of each ten structures" in few.err and not (tmp_path / "few.xyz").exists()
    same = keras_ff("convert", SILICON, "-o", train, "--test", train)
    assert same.status == 2 and "a file of their own" in same.err


def test_named_keys_become_labels(tmp_path, keras_ff):
    structures = read(SILICON, "0:3")
    for atoms in structures:
        atoms.info["E_mine"], atoms.arrays["F_mine"] = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = None
    write(tmp_path / "raw.xyz", structures)
    plain = keras_ff("convert", tmp_path / "raw.xyz", "-o", tmp_path / "plain.xyz")
    assert plain.status == 2 and "None of the 3 structures has an energy. Name its key with --energy-key" in plain.err
    assert not (tmp_path / "plain.xyz").exists()
    assert keras_ff("convert", tmp_path / "raw.xyz", "-o", tmp_path / "plain.xyz", "--no-energy").status == 0
    required = keras_ff("convert", tmp_path / "raw.xyz", "-o", tmp_path / "out.xyz", "--require", "energy")
    assert required.status == 2 and "E_mine" in required.err and "--energy-key" in required.err
    named = keras_ff(
        "convert", tmp_path / "raw.xyz", "-o", tmp_path / "out.xyz", "--energy-key", "E_mine", "--forces-key", "F_mine"
    )
    assert named.status == 0 and "E_mine: 3" in named.out
    assert np.isfinite(data.labels(data.read(tmp_path / "out.xyz")[0])["forces"]).all()


def test_bad_frames_stop_or_are_listed(tmp_path, keras_ff, recwarn):
    structures = read(SILICON, "0:3")
    write(tmp_path / "bad.xyz", structures)
    text = (tmp_path / "bad.xyz").read_text().splitlines(keepends=True)
    text[3] = re.sub(r"-?\d+\.\d+", "nan", text[3], count=1)
    (tmp_path / "bad.xyz").write_text("".join(text))
    stopped = keras_ff("convert", tmp_path / "bad.xyz", "-o", tmp_path / "out.xyz")
    assert stopped.status == 2 and "frame 0" in stopped.err and "--skip-bad" in stopped.err
    assert not (tmp_path / "out.xyz").exists()
    # The last frame is cut off as well.
    (tmp_path / "bad.xyz").write_text("".join(text[:-3]))
    done = keras_ff("convert", tmp_path / "bad.xyz", "-o", tmp_path / "out.xyz", "--skip-bad")
    assert done.status == 0
    assert "skipped 2" in done.out and "frame 0" in done.out and "frame 2" in done.out
    assert len(data.read(tmp_path / "out.xyz")) == 1


def test_a_stress_that_contradicts_the_energies_is_refused(tmp_path, keras_ff):
    structures = data.read(SILICON)
    for atoms in structures:
        atoms.calc.results["stress"] = -10.0 * atoms.calc.results["stress"] / GPa
    raw, out = tmp_path / "raw.xyz", tmp_path / "out.xyz"
    write(raw, structures)
    refused = keras_ff("convert", raw, "-o", out)
    assert refused.status == 2 and "kbar with the sign of VASP" in refused.err and "--stress-unit" in refused.err
    assert not out.exists()
    for word in ("--no-check", "--force"):
        assert keras_ff("convert", raw, "-o", out, word).status == 0
    trained = keras_ff("train", "--train", raw, "--epochs", "1", "--out", tmp_path / "run")
    assert trained.status == 2 and "kbar with the sign of VASP" in trained.err and not (tmp_path / "run").exists()
    mended = keras_ff("convert", raw, "-o", out, "--stress-unit", "kbar", "--stress-sign", "compression")
    assert mended.status == 0 and "doubt" not in mended.out
    for before, after in zip(data.read(SILICON), data.read(out), strict=True):
        np.testing.assert_allclose(data.labels(after)["stress"], data.labels(before)["stress"], atol=1e-7)


def test_cache_is_a_training_set(tmp_path, keras_ff):
    cache = tmp_path / "cache.h5"
    assert keras_ff("convert", f"{SILICON}@0:8", "-o", cache, "--cutoff", "3.5").status == 0
    other = keras_ff("train", "--train", cache, "--cutoff", "4", "--out", tmp_path / "run")
    assert other.status == 2 and "cutoff of 3.5" in other.err
    training = TrainingRun(Settings(train=cache, cutoff=3.5, n_max=2), RunFolder(tmp_path / "run"))
    assert training.settings.species == ("Si",) and training.train.labels_found["forces"] == 7


def test_bad_sources_are_one_sentence(tmp_path, keras_ff):
    (tmp_path / "empty.xyz").touch()
    for words, message in (
        ([tmp_path / "empty.xyz", "-o", tmp_path / "out.xyz"], "empty"),
        ([tmp_path / "nowhere.xyz", "-o", tmp_path / "out.xyz"], "no file"),
        ([SILICON, "-o", tmp_path / "out.dat"], "--out"),
        ([f"{SILICON}@100:", "-o", tmp_path / "out.xyz"], "no structures"),
    ):
        done = keras_ff("convert", *words)
        assert done.status == 2 and message in done.err, done.err
        assert not (tmp_path / "out.xyz").exists()
