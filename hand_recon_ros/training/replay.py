"""Views on the device of the training: each is used many times until a newer one takes its place.

Rendering is slow and training eats fast; a view gives another crop each time, with another window,
background and colours (a replay ring).
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hand_recon_ros.training.hand_labels import Numbers
from hand_recon_ros.training.pyramid import texels
from hand_recon_ros.training.view_set import LABEL, Labels, ViewSet
from hand_recon_ros.training.views import VIEW_SIZE, ProducerError, ViewRing

_LOOK_S: Final = 0.1


class Replay:
    """A store of views; the newest overwrite the oldest.

    Args:
        slots: views that are kept.
        size: their side, px.
        device: where their pixels lie.

    Attributes:
        pixels: (slots, T) int32 pyramids.
        labels: (slots,) of ``view_set.LABEL``, on the host.
        size: see above.
        added: views that ever came.
    """

    def __init__(self, slots: int, size: int, device: torch.device | str) -> None:
        """Take the memory; there are no views yet."""
        self.pixels: Tensor = torch.zeros((slots, texels(size)), dtype=torch.int32, device=device)
        self.labels: Labels = np.zeros(slots, LABEL)
        self.size = size
        self.added = 0

    @classmethod
    def of(cls, views: ViewSet, device: torch.device | str) -> Replay:
        """A store of just these views."""
        store = cls(len(views), views.size, device)
        store.add(views)
        return store

    def __len__(self) -> int:
        """Views that are there."""
        return min(self.added, len(self.labels))

    def add(self, views: ViewSet) -> None:
        """Put views in.

        Raises:
            ValueError: they are of another size.
        """
        if views.size != self.size:
            raise ValueError(f"views of {views.size} px do not fit a store of {self.size} px")
        room = len(self.labels)
        kept = min(len(views), room)
        if not kept:
            return
        slots = (self.added + len(views) - kept + np.arange(kept)) % room
        self.labels[slots] = views.labels[-kept:]
        packed = torch.from_numpy(views.pixels[-kept:]).view(torch.int32)[..., 0]
        self.pixels[torch.from_numpy(slots).to(self.pixels.device)] = packed.to(self.pixels.device)
        self.added += len(views)

    def kept(self) -> ViewSet:
        """The views that are there."""
        pixels = self.pixels[: len(self)].cpu().numpy().view(np.uint8)
        return ViewSet(pixels.reshape(len(self), -1, 4), self.labels[: len(self)], self.size)

    def draw(self, count: int, rng: np.random.Generator) -> Numbers:
        """Slots of random views.

        Raises:
            ProducerError: there are none yet.
        """
        if not len(self):
            raise ProducerError("there is no view yet: fill the store first")
        return rng.integers(len(self), size=count)


def fill(
    store: Replay, ring: ViewRing, views: int, timeout_s: float = 300.0, told: str = ""
) -> None:
    """Wait until the store holds so many views (at most all of its slots).

    Args:
        store: is filled.
        ring: where producers put views.
        views: to wait for.
        timeout_s: longest time without any view, s.
        told: what stands beside a bar of progress; empty = no bar.

    Raises:
        ProducerError: a producer died, or no view came for too long.
    """
    wanted = min(views, len(store.labels))
    until = time.monotonic() + timeout_s
    with tqdm(total=wanted, unit="view", desc=told, leave=False, disable=not told) as bar:
        while True:
            news = ring.news()
            store.add(news)
            bar.update(min(len(store), wanted) - bar.n)
            if len(store) >= wanted:
                return
            if len(news):
                until = time.monotonic() + timeout_s
            elif time.monotonic() > until:
                raise ProducerError(
                    f"no view came for {timeout_s:.0f} s; only {len(store)} of {wanted} are there"
                )
            time.sleep(_LOOK_S)


def next_views(ring: ViewRing, views: int, told: str = "") -> ViewSet:
    """So many new views of a ring: the latest, where more came at once; see ``fill``."""
    store = Replay(views, VIEW_SIZE, "cpu")
    fill(store, ring, views, told=told)
    return store.kept()


class Refill:
    """Brings new views into a store as fast as old ones are used up, and no faster.

    Args:
        store: of views; until it is full, every view is welcome.
        ring: where producers put them.
        uses: pictures that are made of a view on average; where rendering is slower, more.
    """

    def __init__(self, store: Replay, ring: ViewRing, uses: float) -> None:
        """Owe nothing."""
        self._store, self._ring, self._uses = store, ring, uses
        self._due = 0.0

    def used(self, pictures: int) -> None:
        """Tell that so many pictures were made, and take in what is due.

        Raises:
            ProducerError: a producer died.
        """
        room = len(self._store.labels)
        # What could not be delivered is not made up for without end.
        self._due = min(self._due + pictures / self._uses, room)
        news = self._ring.news(int(self._due) if len(self._store) == room else None)
        self._store.add(news)
        self._due = max(self._due - len(news), 0.0)
