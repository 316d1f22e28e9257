"""Fills the page templates that lie in the package's data; all values are escaped."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hand_recon_ros.report.figures import figure

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER: Final = Path(__file__).parents[1] / "data" / "report"


def render(template: str, **values: Any) -> str:
    """The page that a template makes of the values; an unknown name is an error."""
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = figure
    environment.filters["unit"] = lambda unit: unit.replace("^2", "²").replace("^3", "³")
    environment.filters["percent"] = lambda share: f"{100 * share:.4g}%"
    return environment
