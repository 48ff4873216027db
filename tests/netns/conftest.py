# SPDX-License-Identifier: Apache-2.0
"""What every lab gets: a Lab that is taken down whatever happens, and a place for measured figures."""

import os
import shutil
import signal
import sys
import threading

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import lab as labs  # noqa: E402

LOG_TAIL = 60


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes too long for make check; with SHADOWMESH_LONG=1 alone")
    config.addinivalue_line("markers", "reach: a pair of routers that make check leaves out; with SHADOWMESH_REACH=1 alone")
    config.addinivalue_line("markers", "dist: runs what make dist makes; with SHADOWMESH_DIST=1 alone")
    config.addinivalue_line("markers", "arm64: runs it in an emulated machine; with SHADOWMESH_ARM64=1 alone")
    config.addinivalue_line("markers", "early: waits for twenty seconds or more: begins first, so that none is left alone at the end")
    config.addinivalue_line("markers", "alone: measures, or loads every CPU: make check runs nothing beside it")

    # A terminated run takes its namespaces down like an interrupted one. A process that pytest-xdist started may work in
    # another thread than its main one, which alone may say so; it is ended by the first process, which does.
    def stop(signum, _frame):
        raise KeyboardInterrupt(signal.Signals(signum).name)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)


def pytest_collection_modifyitems(config, items):
    for mark, variable in (("long", "SHADOWMESH_LONG"), ("reach", "SHADOWMESH_REACH"), ("dist", "SHADOWMESH_DIST"),
                           ("arm64", "SHADOWMESH_ARM64")):
        if os.environ.get(variable) != "1":
            config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker(mark)])
            items[:] = [item for item in items if not item.get_closest_marker(mark)]
    items.sort(key=lambda item: item.get_closest_marker("early") is None)
    reason = None
    if os.geteuid() != 0:
        reason = "network namespaces need root: run make check as root or with sudo"
    elif not shutil.which("ip"):
        reason = "the program ip is missing: run tools/deps.sh check"
    if reason:
        pytest.exit(reason, returncode=3)


def pytest_sessionstart(session):
    if os.geteuid() == 0 and shutil.which("ip"):
        labs.sweep()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    lab = getattr(item, "funcargs", {}).get("lab")
    if report.failed and lab is not None:
        for name, text in lab.logs():
            if name.split("/")[-1].startswith(("ping-", "iperf3-")):
                continue
            lines = text.splitlines()[-LOG_TAIL:]
            report.longrepr = f"{report.longrepr}\n---- {name}\n" + "\n".join(lines)


@pytest.fixture
def lab(request):
    """A Lab of the test's own. What it ran is shown with a failure."""
    own = labs.Lab(request.node.name)
    try:
        yield own
    finally:
        own.close()


@pytest.fixture
def figure(record_property, capsys):
    """figure("TCP, one stream: 3.1 Gbit/s"): printed at once, and again at the end of make check."""
    def write(text):
        record_property("figure", text)
        with capsys.disabled():
            print(f"\n    {text}")
    return write
