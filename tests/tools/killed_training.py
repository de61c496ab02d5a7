"""`keras-ff train` that kills itself with SIGKILL: `python killed_training.py EPOCH ARGUMENTS...`."""

import os
import signal
import sys

import keras_ff as kff
from keras_ff_tools.main import main

DIE_AT = int(sys.argv[1])


def die(self, epoch, values, add=kff.training.CSVLog.add):
    add(self, epoch, values)
    if epoch == DIE_AT:
        os.kill(os.getpid(), signal.SIGKILL)


kff.training.CSVLog.add = die
sys.exit(main(sys.argv[2:]))
