import argparse

from keras_ff_tools.arguments import add_force, add_reading, reading


def test_how_files_are_read_is_passed_on():
    parser = argparse.ArgumentParser()
    add_reading(parser)
    add_force(parser)
    args = parser.parse_args(["--forces-key", "F_dft", "--stress-unit", "kbar"])
    found = {name: value for name, value in reading(args).items() if value}
    assert found == {"forces_key": "F_dft", "stress_unit": "kbar"} and not args.force
