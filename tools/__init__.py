"""The command line: `keras-ff VERB`. Each verb is a module with `add_arguments(parser)` and `run(args)`."""
