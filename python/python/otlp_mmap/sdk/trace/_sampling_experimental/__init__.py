"""Samplers that are composed of others and agree along a trace, by the specification of probability sampling.

Experimental, as in the official SDK: names may change.
"""

from ._composable import ComposableSampler, SamplingIntent, composite_sampler
from ._rule_based import composable_rule_based
from ._samplers import (
    composable_always_off,
    composable_always_on,
    composable_parent_threshold,
    composable_traceid_ratio_based,
)

__all__ = [
    "ComposableSampler",
    "SamplingIntent",
    "composable_always_off",
    "composable_always_on",
    "composable_parent_threshold",
    "composable_rule_based",
    "composable_traceid_ratio_based",
    "composite_sampler",
]
