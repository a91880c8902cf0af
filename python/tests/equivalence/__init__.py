"""Ten programs run under the official SDK and under ours: the OTLP of both is the same.

`python -m tests.equivalence` runs each program twice in processes of its own (`record.py`), names alike in both what
differs by itself from run to run, such as ids and times (`normal.py`), and compares item by item. The differences that
are decided stand in one table, `decided.py`; anything else fails.
"""
