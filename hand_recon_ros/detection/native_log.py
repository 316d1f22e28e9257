"""Keep start-up chatter of native libraries off the user's terminal."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CHATTER = re.compile(
    rb"^(INFO: |W0000 |I0000 |WARNING: All log messages before absl::InitializeLog)"
)

_SWAPPING = threading.Lock()
"""Two threads that swap at once (two nodes in one process) would lose the terminal for good."""


@contextmanager
def native_chatter_hidden() -> Iterator[None]:
    """Hold back what C++ code writes to stderr, then pass on all but known start-up chatter.

    MediaPipe logs before its logger is set up, so no log level reaches those lines. File
    descriptor 2 is swapped for the whole process: use it for short start-up work only.
    """
    sys.stderr.flush()
    with _SWAPPING, tempfile.TemporaryFile() as held:
        terminal = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(terminal, line)
            os.close(terminal)
