"""What metric readers raise."""


class MetricsTimeoutError(Exception):
    """A collection, or a flush, took longer than it was given."""
