"""What every test relies on."""

import os
import signal

# As the programs do it, before NumPy is loaded: see nodes/hand_recon_node.py.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A job in the background ignores Ctrl-C, and so would the programs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
