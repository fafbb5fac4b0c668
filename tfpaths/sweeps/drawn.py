"""What a finished sweep shows, as values."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """The content of a finished sweep.

    Attributes:
      picture: `figure.png`.
      rows: The rows of `metrics.jsonl`, the numbers behind the picture; each has a `step`.
      metrics: Numbers for `results.json`.
      finding: Sentences that say what the sweep shows.

    Example:
      >>> Drawn(picture=b"", rows=[], metrics={}, finding="Nothing.").finding
      'Nothing.'
    """

    picture: bytes
    rows: Sequence[Row]
    metrics: dict[str, float]
    finding: str
