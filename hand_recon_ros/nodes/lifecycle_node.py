"""The node's life cycle and wiring: images and camera_info in, hands out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

from hand_recon_ros.config import Config
from hand_recon_ros.nodes.diagnostics import diagnostics_message
from hand_recon_ros.nodes.guarded_node import SUCCESS, GuardedNode
from hand_recon_ros.nodes.image_source import MESSAGE_TYPES, Arrival, ImageSource
from hand_recon_ros.nodes.outputs import Outputs
from hand_recon_ros.nodes.parameters import (
    NodeConfig,
    declare_parameters,
    is_dynamic,
    read_config,
    with_dynamic,
)
from hand_recon_ros.nodes.quality import explain_incompatibility, image_qos
from hand_recon_ros.nodes.slot import Worker
from hand_recon_ros.stream.camera_source import CameraSource

REPORT_PERIOD_S = 1.0
"""Between two diagnostics."""


def real_reconstructor(config: Config) -> Any:
    """Load the chain of ``config``."""
    from hand_recon_ros.pipeline import HandReconstructor  # heavy: not before configure

    return HandReconstructor(config)


class HandReconNode(GuardedNode):
    """Lifecycle node: configure loads the models, activate listens, cleanup frees everything.

    The executor's thread only puts images into a slot; one worker thread decodes, reconstructs and
    publishes the newest. Nothing that an image holds can stop the node: it is reported once,
    shown on ``/diagnostics``, and the next image is tried.
    """

    def __init__(
        self,
        name: str = "hand_recon_node",
        *,
        reconstructor_factory: Callable[[Config], Any] = real_reconstructor,
        **node_arguments: Any,
    ) -> None:
        """Declare the parameters, and configure and activate unless ``autostart`` is false.

        Args:
            name: of the node.
            reconstructor_factory: makes the chain, by default ``HandReconstructor``.
            node_arguments: passed on to rclpy's node.

        Raises:
            ConfigError: a parameter is unknown or has a bad value.
        """
        super().__init__(name, **node_arguments)
        self._factory = reconstructor_factory
        self._chain: Any = None
        self._outputs: Outputs | None = None
        self._source: ImageSource | None = None
        self._worker: Worker[Arrival] | None = None
        self._busy: Worker[Arrival] | None = None  # stopped, its last frame takes long
        self._inputs: list[Subscription] = []
        self._warned = 0
        self._config, self._node_config = Config(), NodeConfig()
        declare_parameters(self)
        self.add_post_set_parameters_callback(self._parameters_changed)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", QoSProfile(depth=10)
        )
        # Wall time: the node must report its state while simulated time stands still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(REPORT_PERIOD_S, self._report, clock=steady)
        if read_config(self)[1].autostart and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    # Lifecycle

    def _prepare(self) -> None:
        self._config, self._node_config = read_config(self)
        self._chain = self._factory(self._config)
        self._outputs = Outputs(self, self._config, self._node_config, self._chain, self._problems)
        self._warned = 0
        self._log_warnings()

    def _listen(self) -> None:
        if not self._idle():
            raise RuntimeError("the last frame is still being worked on: try again later")
        assert self._outputs is not None
        config = self._node_config
        topic, info_topic = self._image_topic(), self.resolve_topic_name("camera_info")
        cameras = CameraSource(
            self._problems,
            hfov_deg=self._config.camera.hfov_deg,
            timeout_s=config.camera_info_timeout_s,
            required=config.require_camera_info,
            topic=info_topic,
        )
        self._source = ImageSource(
            config.image_transport, topic, config.camera_frame, cameras, self._problems
        )
        self._chain.reset()
        self._outputs.start()
        self._worker = Worker("hand_recon", self._work, self._failed)
        self._inputs = [
            self.create_subscription(CameraInfo, info_topic, cameras.update, image_qos()),
            self.create_subscription(
                MESSAGE_TYPES[config.image_transport],
                topic,
                self._image_arrived,
                self._image_qos(),
                raw=True,  # an image that is out of date when its turn comes is never unpacked
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=self._incompatible),
            ),
        ]
        self.get_logger().info(f"listening to {topic} and {info_topic} on {self._chain.device}")

    def _silence(self) -> None:
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs = []
        if self._worker is not None:
            if not self._worker.stop():
                self.get_logger().warning("the frame at hand takes long: not waiting for it")
                self._busy = self._worker
            self._worker = None
        if self._outputs is not None:
            self._outputs.stop()

    def _idle(self) -> bool:
        return self._busy is None or self._busy.stop(0.0)

    def _free(self) -> None:
        self._silence()
        if self._outputs is not None:
            self._outputs.destroy()
            self._outputs = None
        chain, self._chain = self._chain, None
        if chain is None or not self._idle():
            return  # native code must not lose its models in the middle of a frame
        try:
            chain.close()
        except Exception as error:  # what is broken can still be dropped
            self.get_logger().warning(f"the chain did not close in order: {error!r}")

    # Images: the first runs in the executor's thread, the others in the worker's.

    def _image_arrived(self, data: bytes) -> None:
        self._statistics.arrived()
        if self._worker is not None:
            self._worker.slot.put(Arrival(data, self.get_clock().now().nanoseconds))

    def _work(self, arrival: Arrival) -> None:
        assert self._source is not None
        assert self._outputs is not None
        picture = self._source.read(arrival)
        if picture is None:
            self._statistics.skipped += 1
            return
        if picture.restart:
            self._chain.reset()
        result = self._chain.process(picture.frame)
        worker = self._worker  # None while the node is being silenced
        self._outputs.publish(picture, result, behind=worker is not None and worker.slot.waiting)
        now_s = self.get_clock().now().nanoseconds * 1e-9
        self._statistics.published(now_s - picture.frame.stamp, now_s - arrival.received_ns * 1e-9)
        self._problems.clear("chain", "qos")
        self._log_warnings()

    def _failed(self, error: Exception) -> None:
        if self._worker is None or not self.context.ok():
            return  # deactivated or shut down in the middle of a frame
        self._statistics.failed += 1
        text = f"a frame failed: {error!r}"
        try:
            self._chain.reset()
        except Exception as broken:  # the worker must go on
            text += f", and the chain cannot start anew: {broken!r}"
        self._problems.report("chain", text, "error")

    def _log_warnings(self) -> None:
        for text in self._chain.warnings[self._warned :]:
            self.get_logger().warning(text)
        self._warned = len(self._chain.warnings)

    # Health

    def _report(self) -> None:
        active = self._worker is not None
        statistics, config = self._statistics, self._node_config
        if active:
            statistics.dropped = self._worker.slot.dropped  # type: ignore[union-attr]
            if statistics.silence_s > config.stale_after_s:
                what = "stream stale: no new image" if statistics.heard else "no image yet"
                self._problems.report("stale", f"{what} on {self._image_topic()}")
            else:
                self._problems.clear("stale", at_once=True)
        level, text = self._problems.summary()
        values = {
            "state": self._state_machine.current_state[1],
            "device": getattr(self._chain, "device", "none"),
            **statistics.values(),
            "last error": self._problems.last_error,
        }
        self._diagnostics.publish(
            diagnostics_message(
                self.get_clock().now().to_msg(),
                f"{self.get_name()}: hands",
                self._image_topic(),
                level,
                text or values["state"],
                values,
            )
        )

    def _incompatible(self, event: QoSRequestedIncompatibleQoSInfo) -> None:
        topic, policy = self._image_topic(), event.last_policy_kind
        text = explain_incompatibility(self, topic, self._image_qos(), policy)
        self._problems.report("qos", text, "error")

    def _image_topic(self) -> str:
        topic = self.resolve_topic_name("image")
        return f"{topic}/compressed" if self._node_config.image_transport == "compressed" else topic

    def _image_qos(self) -> QoSProfile:
        return image_qos(self._node_config.image_reliability)

    def _parameters_changed(self, changes: Sequence[Parameter]) -> None:
        if self._outputs is not None and any(is_dynamic(change.name) for change in changes):
            self._node_config = with_dynamic(self._node_config, read_config(self)[1])
            self._outputs.set_config(self._node_config)
