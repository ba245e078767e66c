"""The pytest plug-in: `pytest -p providers.conformance.plugin`, or by itself where Heliograph is installed.

It makes the suites' assertions explain themselves as those of a test module do.
"""

import pytest

pytest.register_assert_rewrite(
    "providers.conformance.suite",
    "providers.conformance.http_suite",
    "providers.conformance.webhook_suite",
)
