"""``manifest.json``: what each data file of a folder is, under which licence, with its SHA-256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

NAME = "manifest.json"


def enter(path: Path, *, licence: str, source: str) -> str:
    """List a file in the manifest of its folder, in place of an older entry; return its SHA-256."""
    manifest = path.parent / NAME
    others = json.loads(manifest.read_text()) if manifest.exists() else []
    own = {
        "name": path.name,
        "sha256": digest(path.read_bytes()),
        "licence": licence,
        "source": source,
    }
    entries = [*(entry for entry in others if entry["name"] != path.name), own]
    manifest.write_text(json.dumps(sorted(entries, key=lambda e: e["name"]), indent=2) + "\n")
    return own["sha256"]


def listed_digest(path: Path) -> str | None:
    """The SHA-256 that the manifest of a file's folder gives for it, or None."""
    manifest = path.parent / NAME
    if not manifest.exists():
        return None
    entries = json.loads(manifest.read_text())
    return next((str(e["sha256"]) for e in entries if e["name"] == path.name), None)


def digest(content: bytes) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    return hashlib.sha256(content).hexdigest()
