"""How a network is trained: one YAML file each, in ``config/train_*.yaml``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

OPTIMIZERS: Final = ("adamw", "muon")
SHIPPED_WEIGHTS: Final = "shipped"
"""``start_from`` of who goes on with the weights of the package."""


@dataclass(frozen=True)
class TrainingConfig:
    """Options of a training run.

    Attributes:
        seed: of weights, data order and jitter.
        samples: hands (or frames) to see in all; the learning rate falls towards their end.
        batch: samples of a step.
        optimizer: one of ``OPTIMIZERS``.
        learning_rate: of the optimiser at its highest.
        warmup_samples: over which the learning rate rises, after every start too.
        decay_share: last part of ``samples`` in which the learning rate falls to zero.
        weight_decay: share of the learning rate by which weights shrink.
        gradient_norm: above it gradients are shortened.
        ema_samples: memory of the averaged weights, samples.
        threads: of torch on a CPU.
        half: mixed precision (bfloat16) on a GPU, and on a CPU of which torch tells that it has
            matrix tiles for it (AMX).
        compile: let torch compile the model on a GPU.
        half_size_samples: until then crops are halved in size, which is four times quicker (the
            table of losses: from the first to the last).
        producers: processes that render; 0 = one less than the cores, -1 = none.
        views_kept: rendered views that are kept and used again and again.
        view_uses: times that a rendered view is shown on average, each with another window,
            background and colours; more where rendering keeps the training waiting.
        grounds: pictures that are laid behind rendered hands.
        real_share: share of photographs in a batch.
        whole_share: share of the photographs that the detector sees as they are, the others cut
            out round their hands.
        photo_depth: trust in the photographs' relative 3D, which is a peer's guess: bone directions
            are learnt from it and nothing else; 0 = none.
        checkpoint_s: seconds between checkpoints.
        validate_s: seconds between validations.
        start_from: folder with weights to begin with where there is no checkpoint ("shipped" =
            those of the package; empty = none); the samples that they had seen count.
        losses: weight of each loss by name.
    """

    seed: int = 1
    samples: int = 10_000_000
    batch: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    warmup_samples: int = 10_000
    decay_share: float = 0.3
    weight_decay: float = 0.02
    gradient_norm: float = 10.0
    ema_samples: int = 60_000
    threads: int = 1
    half: bool = True
    compile: bool = False
    half_size_samples: int = 0
    producers: int = 1
    views_kept: int = 3000
    view_uses: float = 5.0
    grounds: int = 1000
    real_share: float = 0.25
    whole_share: float = 0.5
    photo_depth: float = 0.0
    checkpoint_s: float = 120.0
    validate_s: float = 300.0
    start_from: str = ""
    losses: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is out of range; the message names it.
        """
        for name in ("samples", "batch", "threads", "ema_samples", "grounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer is '{self.optimizer}'; known: {', '.join(OPTIMIZERS)}")
        for name in ("learning_rate", "gradient_norm", "view_uses", "checkpoint_s", "validate_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("decay_share", "real_share", "whole_share", "photo_depth"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be within 0..1")

    def rate(self, seen: int, since_start: int) -> float:
        """Learning rate after ``seen`` samples, ``since_start`` of them in this run."""
        rise = min(1.0, (since_start + 1) / max(self.warmup_samples, 1))
        last = self.decay_share * self.samples
        fall = min(1.0, max(self.samples - seen, 0) / last) if last > 0 else 1.0
        return self.learning_rate * rise * fall


def training_config(path: Path, overrides: Iterable[str] = ()) -> TrainingConfig:
    """Read a YAML file and ``key=value`` changes to it.

    Raises:
        ValueError: the file is no mapping, or an option is unknown or of the wrong kind.
        OSError: the file cannot be read.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(document, Mapping):
        raise ValueError(f"{path}: expected options as 'name: value' lines")
    values: dict[str, Any] = dict(document)
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--set {text}: expected key=value")
        first, dot, rest = name.partition(".")
        if dot:
            values[first] = {**(values.get(first) or {}), rest: yaml.safe_load(value)}
        else:
            values[first] = yaml.safe_load(value)
    known = {f.name: f for f in dataclasses.fields(TrainingConfig)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{path}: option '{name}' is unknown; known: {', '.join(known)}")
        values[name] = _checked(name, value, TrainingConfig.__dataclass_fields__[name].type)
    return TrainingConfig(**values)


def _checked(name: str, value: Any, kind: Any) -> Any:
    wanted = str(kind)
    if isinstance(value, str) and wanted in ("int", "float"):
        with contextlib.suppress(ValueError):
            value = float(value)  # YAML reads 1e-3 and 1e6 as text
    if wanted == "float" and isinstance(value, int):
        return float(value)
    if wanted == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    kinds = {"int": int, "float": float, "bool": bool, "str": str, "dict[str, float]": dict}
    if not isinstance(value, kinds[wanted]) or (wanted == "int" and isinstance(value, bool)):
        raise ValueError(f"option '{name}': {value!r} is not of type {wanted}")
    return {k: float(v) for k, v in value.items()} if isinstance(value, dict) else value
