"""The ``hand_teleop_node`` executable."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is interrupted. 0 = ended in order, 2 = a parameter is wrong."""
    # As in hand_recon_node: idle threads of NumPy, and waits for the interpreter, cost latency.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.setswitchinterval(5e-4)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # while it was still loading
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from hand_recon_ros.nodes.teleop_node import HandTeleopNode
    from hand_recon_ros.options import ConfigError

    # rclpy's own handlers would end the context at once, and with it the commands that brake.
    rclpy.init(
        args=None if arguments is None else [*arguments],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    node: HandTeleopNode | None = None
    code = 0
    try:
        node = HandTeleopNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while True:
            executor.spin_once(timeout_sec=0.1)  # Python sees a signal between two calls
    except KeyboardInterrupt:
        pass
    except ConfigError as error:
        rclpy.logging.get_logger("hand_teleop_node").fatal(str(error))
        code = 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not break the braking
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    return code


def _interrupt(number: int, stack: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
