"""``~/markers`` for RViz: surface, bones, joints and motion trails of every hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from hand_recon_ros.nodes.parameters import MarkerConfig
from hand_recon_ros.skeleton import BONES, PALM_JOINTS, TIPS, WRIST, Side
from hand_recon_ros.types import Array, Hand, HandFrame

COLORS: Final[dict[Side, tuple[float, float, float]]] = {
    "left": (0.30, 0.60, 0.95),
    "right": (0.95, 0.55, 0.25),
}
"""RGB of each side: a pair that colour-blind people tell apart."""
TRAILS: Final = (*TIPS, WRIST, "palm")
"""What leaves a trail, in the order of the markers' ids."""

_PALE: Final = 0.6
"""How far a predicted hand's colour is moved towards white."""
_BONE_M, _JOINT_M, _TRAIL_M = 0.004, 0.008, 0.002
_LIFETIME: Final = Duration(sec=1)
"""RViz drops what is not renewed for so long: a safety for a node that died."""
_TRAIL_GAP_S: Final = 0.5
"""A longer pause cuts the trail: no line is drawn across what was not seen."""
_BONE_ENDS: Final = itemgetter(*(joint for bone in BONES for joint in bone))


class _Surface:
    """The triangles' corners of one hand, as Points that are moved from frame to frame.

    Making 778 Points costs several times what moving them does, and 4614 corners share them.
    """

    def __init__(self, count: int, faces: NDArray[np.integer]) -> None:
        self.faces = faces
        self._vertices = [Point() for _ in range(count)]
        self.corners = [self._vertices[i] for i in faces.reshape(-1).tolist()]

    def move(self, vertices_m: NDArray[np.floating]) -> None:
        for point, xyz in zip(self._vertices, vertices_m.tolist(), strict=True):
            point.x, point.y, point.z = xyz


@dataclass
class _Track:
    """What is remembered of one hand: its place among the marker ids, surface and trail."""

    slot: int
    stamp: float
    surface: _Surface | None = None
    trail: deque[list[Point]] = field(default_factory=deque)


class MarkerBuilder:
    """Builds the markers of a frame; call it only while somebody subscribes.

    Namespaces are ``mesh``, ``skeleton``, ``joints`` and ``trails``, so that RViz can switch each
    of them off. Ids belong to a hand for as long as it is tracked. A marker that is no longer shown
    is deleted once; nothing is ever deleted and redrawn (that flickers).
    """

    def __init__(self, config: MarkerConfig) -> None:
        """Start with nothing shown. ``config`` may be exchanged at any time."""
        self.config = config
        self._tracks: dict[int, _Track] = {}
        self._shown: set[tuple[str, int]] = set()

    def build(
        self,
        frame: HandFrame,
        header: Header,
        meshes: Mapping[int, NDArray[np.floating]],
        faces: Mapping[Side, NDArray[np.integer]],
    ) -> MarkerArray:
        """Return the markers of this frame; if there are none, there is nothing to publish.

        Publish the result before the next call, which moves the points of the surfaces in it.

        Args:
            frame: the hands.
            header: the image's own.
            meshes: (778, 3) vertices in the camera's frame, metres, by track id; a hand without
                one has no surface.
            faces: (1538, 3) vertex indices of each side, counter-clockwise seen from outside.
        """
        self._follow(frame)
        markers: list[Marker] = []
        for hand in frame.hands:
            track = self._tracks[hand.track_id]
            joints = _points(hand.joints_m)
            if self.config.trails:
                self._extend(track, hand, joints)
            else:
                track.trail.clear()  # what is not recorded must not be joined up later
            markers += self._hand(hand, track, header, joints)
            if self.config.mesh and hand.track_id in meshes:
                markers.append(
                    self._mesh(hand, track, header, meshes[hand.track_id], faces[hand.side])
                )
        return self._with_deletions(markers, header)

    def _mesh(
        self,
        hand: Hand,
        track: _Track,
        header: Header,
        vertices_m: NDArray[np.floating],
        faces: NDArray[np.integer],
    ) -> Marker:
        if track.surface is None or track.surface.faces is not faces:
            track.surface = _Surface(len(vertices_m), faces)
        track.surface.move(vertices_m)
        mesh = _marker(header, "mesh", track.slot, Marker.TRIANGLE_LIST, _color(hand))
        mesh.scale.x = mesh.scale.y = mesh.scale.z = 1.0
        mesh.color.a = self.config.mesh_alpha
        mesh.points.extend(track.surface.corners)
        return mesh

    def _hand(self, hand: Hand, track: _Track, header: Header, joints: list[Point]) -> list[Marker]:
        """Bones, joints and trails."""
        color, slot, result = _color(hand), track.slot, []
        if self.config.skeleton:
            bones = _marker(header, "skeleton", slot, Marker.LINE_LIST, color)
            bones.scale.x = _BONE_M
            bones.points.extend(_BONE_ENDS(joints))
            result.append(bones)
        if self.config.joints:
            spheres = _marker(header, "joints", slot, Marker.SPHERE_LIST, color)
            spheres.scale.x = spheres.scale.y = spheres.scale.z = _JOINT_M
            spheres.points.extend(joints)
            result.append(spheres)
        if self.config.trails and len(track.trail) > 1:
            fading = _fading(color, len(track.trail))
            for k in range(len(TRAILS)):
                line = _marker(header, "trails", slot * len(TRAILS) + k, Marker.LINE_STRIP, color)
                line.scale.x = _TRAIL_M
                line.points.extend([points[k] for points in track.trail])
                line.colors.extend(fading)
                result.append(line)
        return result

    def _follow(self, frame: HandFrame) -> None:
        """Keep the tracks of this frame; a new hand takes the lowest free slot."""
        seen = {hand.track_id for hand in frame.hands}
        self._tracks = {i: track for i, track in self._tracks.items() if i in seen}
        for hand in frame.hands:
            track = self._tracks.get(hand.track_id)
            if track is None:
                taken = {track.slot for track in self._tracks.values()}
                slot = next(i for i in range(len(taken) + 1) if i not in taken)
                self._tracks[hand.track_id] = track = _Track(slot, frame.stamp)
            elif not 0.0 <= frame.stamp - track.stamp <= _TRAIL_GAP_S:
                track.trail.clear()
            track.stamp = frame.stamp

    def _extend(self, track: _Track, hand: Hand, joints: list[Point]) -> None:
        palm = _points(hand.joints_m[list(PALM_JOINTS)].mean(axis=0, keepdims=True))
        track.trail.append([*(joints[j] for j in (*TIPS, WRIST)), *palm])
        while len(track.trail) > self.config.trail_length:
            track.trail.popleft()

    def _with_deletions(self, markers: list[Marker], header: Header) -> MarkerArray:
        shown = {(marker.ns, marker.id) for marker in markers}
        gone = [
            Marker(header=header, ns=ns, id=i, action=Marker.DELETE)
            for ns, i in sorted(self._shown - shown)
        ]
        self._shown = shown
        return MarkerArray(markers=gone + markers)


def _marker(header: Header, ns: str, i: int, kind: int, color: Array) -> Marker:
    marker = Marker(header=header, ns=ns, id=i, type=kind, lifetime=_LIFETIME)
    marker.pose.orientation.w = 1.0
    marker.color.r, marker.color.g, marker.color.b = color.tolist()
    marker.color.a = 1.0
    return marker


def _color(hand: Hand) -> Array:
    color = np.array(COLORS[hand.side])
    return color + _PALE * (1.0 - color) if hand.state == "predicted" else color


def _fading(color: Array, count: int) -> list[ColorRGBA]:
    """Colours of a trail, oldest first, from nearly transparent to opaque."""
    r, g, b = color.tolist()
    return [ColorRGBA(r=r, g=g, b=b, a=(k + 1) / count) for k in range(count)]


def _points(points_m: NDArray[np.floating]) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in points_m.tolist()]
