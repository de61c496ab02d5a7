import argparse

from keras_ff_tools.arguments import add_label_keys, label_keys


def test_names_of_labels_are_passed_on_and_others_are_searched_for():
    parser = argparse.ArgumentParser()
    add_label_keys(parser)
    found = label_keys(parser.parse_args(["--forces-key", "F_dft"]))
    assert found == {"energy_key": None, "forces_key": "F_dft", "stress_key": None}
