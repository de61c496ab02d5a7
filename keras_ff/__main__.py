"""`python -m keras_ff`, the same as the program `keras-ff`."""

import sys

from keras_ff_tools.main import main

if __name__ == "__main__":
    sys.exit(main())
