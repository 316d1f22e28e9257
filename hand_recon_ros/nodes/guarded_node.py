"""A lifecycle node whose transitions report what goes wrong instead of ending the node."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from hand_recon_ros.nodes.diagnostics import Statistics
from hand_recon_ros.nodes.parameter_table import NODE_ARGUMENTS
from hand_recon_ros.nodes.problems import Problems

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class GuardedNode(LifecycleNode):
    """Transitions in terms of four steps: prepare, listen, silence, free.

    An exception out of a transition would finalise the node for good: they return FAILURE, and the
    node can be configured or activated again.

    Args:
        name: of the node.
        node_arguments: passed on to rclpy's node.
    """

    def __init__(self, name: str, **node_arguments: Any) -> None:
        """Create the unconfigured node."""
        super().__init__(name, **NODE_ARGUMENTS, **node_arguments)
        self._problems = Problems(self.get_logger())
        self._statistics = Statistics()

    @abstractmethod
    def _prepare(self) -> None:
        """Read the parameters and make what they ask for."""

    @abstractmethod
    def _listen(self) -> None:
        """Subscribe, and begin to work."""

    @abstractmethod
    def _silence(self) -> None:
        """Stop listening and publishing; may be called again."""

    @abstractmethod
    def _free(self) -> None:
        """Fall silent and drop what ``_prepare`` made, in whatever state; may be called again."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Prepare."""
        self._problems.forget()
        try:
            self._prepare()
        except Exception as error:
            self._free()
            self._problems.report(
                "configure",
                f"cannot configure: {error} (the node stays unconfigured: set the parameter right "
                "and configure again)",
                "error",
            )
            return FAILURE
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen."""
        self._problems.forget()
        self._statistics = Statistics()
        try:
            self._listen()
        except Exception as error:
            self._silence()
            self._problems.report("activate", f"cannot activate: {error}", "error")
            return FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fall silent."""
        self._silence()
        self._problems.forget()  # of a stream that nobody listens to any more
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything from whatever state."""
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything, so that the node can be configured again."""
        self._free()
        return super().on_error(state)

    def destroy_node(self) -> None:
        """Free everything and leave the graph."""
        self._free()
        super().destroy_node()
