"""Whether a meter measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...._native import Switch
from ...util.instrumentation import InstrumentationScope

ConfigT = TypeVar("ConfigT")


class RuleBasedConfigurator(Generic[ConfigT]):
    """Configures scopes by the first rule whose predicate they satisfy.

    Args:
        rules: predicates, each with a configuration.
        default_config: where no rule applies.
    """

    def __init__(
        self, *, rules: Sequence[tuple[Callable[[InstrumentationScope], bool], ConfigT]], default_config: ConfigT
    ) -> None:
        self._rules = rules
        self._default_config = default_config

    def __call__(self, scope: InstrumentationScope) -> ConfigT:
        return next((config for predicate, config in self._rules if predicate(scope)), self._default_config)

    def update_rules(self, rules: Sequence[tuple[Callable[[InstrumentationScope], bool], ConfigT]]) -> None:
        """Takes other rules."""
        self._rules = rules


@dataclass
class _MeterConfig:
    """Whether a meter measures."""

    is_enabled: bool = True

    @classmethod
    def default(cls) -> _MeterConfig:
        return _MeterConfig()


class _ProxyMeterConfig:
    """The configuration that a meter has now, for its instruments."""

    def __init__(self, config: _MeterConfig) -> None:
        self._switch = Switch(config.is_enabled)
        self._config = config

    @property
    def is_enabled(self) -> bool:
        return self._config.is_enabled

    def update(self, config: _MeterConfig) -> None:
        self._config = config
        self._switch.turn(config.is_enabled)


_MeterConfiguratorT = Callable[[InstrumentationScope], _MeterConfig]
_RuleBasedMeterConfigurator = RuleBasedConfigurator[_MeterConfig]


def _default_meter_configurator(_meter_scope: InstrumentationScope) -> _MeterConfig:
    return _MeterConfig.default()


def _disable_meter_configurator(_meter_scope: InstrumentationScope) -> _MeterConfig:
    return _MeterConfig(is_enabled=False)
