"""What a run skipped, counted by reason; in CI only what cannot be had there may be skipped."""

from __future__ import annotations

import os
from collections import Counter

import pytest

ALLOWED_IN_CI = (
    "needs a CUDA device",
    "needs a machine without CUDA",
    "needs a microphone",
    "needs a processor with ",
    "needs the model hub",
)
"""How the reasons begin that CI accepts; all else that a test needs is installed by ``.ci/run``, or by pip."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI, fail the run where something was skipped that can be had."""
    if os.environ.get("CI") and any(not reason.startswith(ALLOWED_IN_CI) for reason in _skipped(session.config)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write one line that counts what was skipped and says why."""
    reasons = _skipped(config)
    counted = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    terminalreporter.write_line(f"skipped: {reasons.total()}" + (f" ({counted})" if reasons else ""))
    if os.environ.get("CI"):
        for reason in reasons:
            if not reason.startswith(ALLOWED_IN_CI):
                terminalreporter.write_line(
                    f"ERROR: CI skipped a test ({reason}); have .ci/run install what it needs", red=True
                )


def _skipped(config: pytest.Config) -> Counter[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
