"""Settings in YAML files."""

import re

import pytest

from keras_ff_tools.run.config import read_config, write_config
from keras_ff_tools.run.settings import Settings


def test_all_settings_survive_a_file_and_are_explained_there(tmp_path):
    # Words that YAML takes for something else.
    words = {"energy_key": "null", "forces_key": "1e3", "stress_key": "", "stress_unit": "yes"}
    files = ["a b.xyz", "x: y.xyz", "# z.xyz", "[1].xyz", "'q\".xyz"]
    weights = {"Default": 1.0, "no": 1e-7}
    one = Settings(train=files, species=["No", "Y"], config_type_weights=weights, minutes=1 / 3, learning_rate=1e-5, **words)
    other = Settings(train="a.xyz", start="runs/first", adapt=True, freeze="descriptor,core", replay=["b.xyz"], log=["wandb"])
    for settings in (one, other):
        write_config(tmp_path / "run.yaml", settings)
        assert read_config(tmp_path / "run.yaml") == settings
    text = (tmp_path / "run.yaml").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        assert re.search(rf"(?m)^{name}: .*  # {re.escape(field.description)}$", text)


def test_the_command_line_wins(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("train: a.xyz\nn-max: 4\nepochs: 3\ncutoff: wrong\n")
    settings = read_config(file, {"minutes": "2", "cutoff": "4", "train": ["b.xyz"]})
    assert (settings.train, settings.n_max, settings.epochs, settings.minutes, settings.cutoff) == (("b.xyz",), 4, None, 2.0, 4.0)
    # What is wrong on the command line is not looked for in the file.
    with pytest.raises(ValueError, match="^cutoff: .*Received cutoff=-1"):
        read_config(file, {"cutoff": "-1"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: a.xyz\ncut-of: 5\n", "line 2: the setting 'cut_of' is not known to this version. Did you mean 'cutoff'?"),
        ("train: a.xyz\n\nepochs: many\n", "line 3: epochs: .*valid integer.* Received epochs=many"),
        ("train: a.xyz\nspecies: {Si: 1}\n", "line 2: species: .*Received species={'Si': '1'}"),
        ("train: a.xyz\nadapt: maybe\n", "line 2: adapt: .*valid boolean"),
        ("train: a.xyz\npotential: neurlail\n", "line 2: A potential is one of .* Did you mean 'neuralil'?"),
        ("train: a.xyz\npotential: sw\nn_max: 3\n", "line 3: --n-max is no option of sw, which has --cutoff, --train-parameters"),
        ("train: a.xyz\nepochs: 1\ntrain: b.xyz\n", "line 3: train stands in line 1 already"),
        ("train: [a.xyz\nepochs: 3\n", "line 2 is no YAML: expected"),
        ("valid: &b b.xyz\ntrain: *b\n", "has an alias"),
        ("- a.xyz\n", "holds no settings"),
        ("", "holds no settings"),
        ("[" * 5000, "is no YAML"),
        ("epochs: 5\n", "nothing to train on"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, message, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message.replace("?", r"\?")) as error:
        read_config(file)
    assert "\n" not in str(error.value) and "run.yaml" in str(error.value) + "run.yaml" * (message == "nothing to train on")
