"""The ``hand_recon_node`` executable."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted. 0 = ended in order, 2 = a parameter is wrong."""
    # Before NumPy is loaded: for matrices as small as a hand's its threads only wait for each
    # other, which took 40 % of the node's processor time.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A thread that returns from a network or DDS waits so long for the interpreter: the default of
    # 5 ms, several times an image, is a good part of its latency.
    sys.setswitchinterval(5e-4)
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # while it was still loading
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    from hand_recon_ros.nodes.lifecycle_node import HandReconNode
    from hand_recon_ros.options import ConfigError

    rclpy.init(args=None if arguments is None else [*arguments])
    node: HandReconNode | None = None
    code = 0
    try:
        node = HandReconNode()
        gc.freeze()  # what is loaded now stays: do not search it for garbage between two frames
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except ConfigError as error:
        rclpy.logging.get_logger("hand_recon_node").fatal(str(error))
        code = 2
    except Exception:
        if rclpy.ok():  # else a signal has ended the context under the node's feet
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not break the tidying
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return code


if __name__ == "__main__":
    sys.exit(main())
