"""Configurators by rules: a configuration for each instrumentation scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .instrumentation import InstrumentationScope

_Config = TypeVar("_Config")


class RuleBasedConfigurator(Generic[_Config]):
    """The configuration of the first rule whose predicate is true of a scope.

    Args:
        rules: a predicate of scopes, and a configuration.
        default_config: for scopes of which none is true.
    """

    def __init__(
        self, *, rules: Sequence[tuple[Callable[[InstrumentationScope], bool], _Config]], default_config: _Config
    ) -> None:
        self._rules = rules
        self._default_config = default_config

    def __call__(self, scope: InstrumentationScope) -> _Config:
        """The configuration of a scope."""
        return next((config for predicate, config in self._rules if predicate(scope)), self._default_config)

    def update_rules(self, rules: Sequence[tuple[Callable[[InstrumentationScope], bool], _Config]]) -> None:
        """Takes other rules."""
        self._rules = rules
