"""One measurement in a process of its own: `python -m keras_ff_tools.benchmarks SUITE MEASUREMENT [OPTIONS]`."""

import argparse
import importlib
import inspect
from collections.abc import Sequence

from keras_ff import backend


def main(arguments: Sequence[str] | None = None) -> None:
    """Call the function of the measurement with those of the options that it takes.

    Args:
        arguments: Words of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("suite")
    parser.add_argument("measurement")
    parser.add_argument("--data")
    parser.add_argument("--elements", nargs="+")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--out")
    args = vars(parser.parse_args(arguments))
    module = importlib.import_module(f"keras_ff_tools.benchmarks.{args.pop('suite').replace('-', '_')}")
    function = getattr(module, args.pop("measurement").replace("-", "_"))
    taken = inspect.signature(function).parameters
    print(f"backend {backend.backend_name()}")
    function(**{name: value for name, value in args.items() if name in taken and value is not None})


if __name__ == "__main__":
    main()
