"""Which topic of a bag is meant: by name, else by type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hand_recon_ros.io.bags.stored import BagError, Topic

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_SUFFIX = "/compressed"


def image_topic(
    topics: Mapping[str, Topic], named: str | None, problem: Callable[[Topic], str | None]
) -> Topic:
    """The topic of the images.

    Args:
        topics: those of the bag.
        named: what the user wants; None = the only one there is. Of an image that lies in the bag
            both raw and compressed, the raw one.
        problem: what the first image of a topic cannot be used for (a depth image), None = it can.

    Raises:
        BagError: there is none, or several; the message lists them.
    """
    images = {t.name: t for t in topics.values() if t.type in (IMAGE, COMPRESSED) and t.count}
    if named is not None:
        return _by_name(topics, images.values(), named)
    if not images:
        raise BagError(f"the bag holds no images; {listing(topics.values())}")
    problems = {name: problem(topic) for name, topic in images.items()}
    usable = [topic for name, topic in images.items() if problems[name] is None]
    if not usable:
        reasons = "; ".join(f"{name}: {text}" for name, text in problems.items())
        raise BagError(f"no image of the bag can be used: {reasons}")
    choice = [t for t in usable if t.name.removesuffix(_SUFFIX) == t.name or not _raw(t, usable)]
    if len(choice) > 1:
        raise BagError(
            f"the bag holds several image topics, choose one by --image-topic; {listing(choice)}"
        )
    return choice[0]


def camera_info_topic(topics: Mapping[str, Topic], image: Topic, named: str | None) -> Topic | None:
    """The topic of the calibration; None = there is none in the bag.

    By name, else ``camera_info`` next to the images, else the only one in the bag.

    Raises:
        BagError: the named one is not there, or there are several and none beside the images.
    """
    infos = {t.name: t for t in topics.values() if t.type == CAMERA_INFO and t.count}
    if named is not None:
        return _by_name(topics, infos.values(), named)
    base = image.name.removesuffix(_SUFFIX).rpartition("/")[0]
    beside = infos.get(f"{base}/camera_info")
    if beside is not None or not infos:
        return beside
    if len(infos) > 1:
        raise BagError(
            f"{base}/camera_info is not in the bag, others are: choose one by --camera-info-topic,"
            f" or give a calibration by --camera; {listing(infos.values())}"
        )
    return next(iter(infos.values()))


def listing(topics: Iterable[Topic]) -> str:
    """Topics as lines of a message."""
    lines = [f"\n  {t.name}  {t.type}  {t.count} messages" for t in topics]
    return "topics:" + "".join(sorted(lines)) if lines else "it holds no messages at all"


def _by_name(topics: Mapping[str, Topic], fitting: Iterable[Topic], named: str) -> Topic:
    names = {t.name: t for t in fitting}
    wanted = named if named.startswith("/") else f"/{named}"
    for name in (wanted, wanted + _SUFFIX):
        if name in names:
            return names[name]
    known = topics.get(wanted)
    reason = f"is of type {known.type}" if known and known.count else "is not in the bag"
    raise BagError(f"topic '{named}' {reason}; {listing(names.values() or topics.values())}")


def _raw(topic: Topic, usable: Iterable[Topic]) -> bool:
    return any(other.name == topic.name.removesuffix(_SUFFIX) for other in usable)
