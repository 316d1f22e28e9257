"""Measure the figures of the README: ``python -m hand_recon_ros.bench [NAME ...]``."""

from __future__ import annotations

import argparse
import os
import sys

from hand_recon_ros.bench import suite


def main() -> int:
    """Run the benches."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the node does, before NumPy is loaded
    parser = argparse.ArgumentParser(description="Measure accuracy and speed.")
    suite.add_options(parser)
    options = parser.parse_args()
    try:
        suite.run(options)
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
