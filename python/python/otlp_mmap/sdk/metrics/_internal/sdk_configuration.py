"""What a meter provider was configured with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...resources import Resource
from .exemplar import ExemplarFilter
from .view import View


@dataclass
class SdkConfiguration:
    """Shared by all meters of a provider."""

    exemplar_filter: ExemplarFilter
    resource: Resource
    views: Sequence[View]
