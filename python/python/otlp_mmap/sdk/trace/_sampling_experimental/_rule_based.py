"""Sampling by rules: the first predicate that matches a span names the sampler."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import AnyValue, Attributes

from ._composable import ComposableSampler, SamplingIntent
from ._samplers import NEVER

_logger = logging.getLogger(__name__)


class PredicateT(Protocol):
    """What a rule asks about a span. Its text is a part of the sampler's description."""

    def __call__(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None,
    ) -> bool:
        """Whether the rule is about this span."""
        ...


RulesT = Sequence[tuple[PredicateT, ComposableSampler]]


class _Predicate:
    """A predicate that asks about parent, kind and attributes alone."""

    def __call__(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None,
    ) -> bool:
        return self._matches(parent_ctx, span_kind, attributes or {})

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        raise NotImplementedError


class AlwaysMatchPredicate(_Predicate):
    """Matches every span."""

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        return True

    def __str__(self) -> str:
        return "AlwaysMatch"


class AttributePredicate(_Predicate):
    """Matches an attribute's exact value. Deprecated: `AttributeValuesPredicate` is the one to use."""

    def __init__(self, key: str, value: AnyValue) -> None:
        _logger.warning("AttributePredicate is deprecated: use AttributeValuesPredicate")
        self.key = key
        self.value = value

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        return bool(attributes.get(self.key) == self.value) if attributes else False

    def __str__(self) -> str:
        return f"{self.key}={self.value!s}"


class AttributeValuesPredicate(_Predicate):
    """Matches if an attribute, or an element of it, has one of these texts."""

    def __init__(self, key: str, values: Iterable[str]) -> None:
        self._key = key
        self._values = frozenset(values)

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        return not self._values.isdisjoint(_texts(attributes, self._key))

    def __str__(self) -> str:
        return f"{self._key} in [{','.join(sorted(self._values))}]"


class AttributePatternsPredicate(_Predicate):
    """Matches if the text of an attribute, or of an element, fits a pattern of `included` and none of `excluded`.

    Args:
        key: of the attribute.
        included: with `*` and `?`; None or empty: every text.
        excluded: the same; these win.
    """

    def __init__(self, key: str, included: Iterable[str] | None = None, excluded: Iterable[str] | None = None) -> None:
        self._key = key
        self._included = list(included or ["*"]) or ["*"]
        self._excluded = list(excluded or [])

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        return any(
            any(fnmatchcase(text, pattern) for pattern in self._included)
            and not any(fnmatchcase(text, pattern) for pattern in self._excluded)
            for text in _texts(attributes, self._key)
        )

    def __str__(self) -> str:
        return f"{self._key} matches"


class SpanKindPredicate(_Predicate):
    """Matches spans of these kinds."""

    def __init__(self, span_kinds: Iterable[SpanKind]) -> None:
        self._kinds = frozenset(span_kinds)

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        return kind in self._kinds

    def __str__(self) -> str:
        return f"span_kind in [{','.join(sorted(kind.name.lower() for kind in self._kinds))}]"


class ParentPredicate(_Predicate):
    """Matches by the parent: `none`, `remote` or `local`."""

    def __init__(self, parents: Iterable[str]) -> None:
        self._parents = frozenset(parents)

    def _matches(self, parent_ctx: Context | None, kind: SpanKind | None, attributes: Any) -> bool:
        parent = get_current_span(parent_ctx).get_span_context()
        local_or_remote = "remote" if parent.is_remote else "local"
        return (local_or_remote if parent.is_valid else "none") in self._parents

    def __str__(self) -> str:
        return f"parent in [{','.join(sorted(self._parents))}]"


class AllPredicate:
    """Matches what each of these matches."""

    def __init__(self, predicates: Iterable[PredicateT]) -> None:
        self._predicates = tuple(predicates)

    def __call__(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None,
    ) -> bool:
        return all(
            predicate(parent_ctx, name, span_kind, attributes, links, trace_state) for predicate in self._predicates
        )

    def __str__(self) -> str:
        return " && ".join(map(str, self._predicates))


def _texts(attributes: Any, key: str) -> list[str]:
    """The texts of an attribute's elements; none if it is not there."""
    if key not in attributes:
        return []
    value = attributes[key]
    single = isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Sequence)
    return [str(value)] if single else list(map(str, value))


class _RuleBased(ComposableSampler):
    def __init__(self, rules: RulesT) -> None:
        self._rules = tuple(rules)

    def sampling_intent(
        self,
        parent_ctx: Context | None,
        name: str,
        span_kind: SpanKind | None,
        attributes: Attributes,
        links: Sequence[Link] | None,
        trace_state: TraceState | None = None,
    ) -> SamplingIntent:
        span = (parent_ctx, name, span_kind, attributes, links, trace_state)
        return next((sampler.sampling_intent(*span) for matches, sampler in self._rules if matches(*span)), NEVER)

    def get_description(self) -> str:
        rules = ",".join(f"({predicate}:{sampler.get_description()})" for predicate, sampler in self._rules)
        return f"ComposableRuleBased{{[{rules}]}}"


def composable_rule_based(rules: RulesT) -> ComposableSampler:
    """Takes a span as the sampler of the first rule that matches says; no span that none matches."""
    return _RuleBased(rules)
