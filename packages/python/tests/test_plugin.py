"""The fixtures, in runs of pytest of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from machins_mock import MockServer, __main__
from machins_mock._server import program

# What one test leaves, the next must not find.
SUITE = """
import pytest

@pytest.mark.parametrize("number", range(6))
def test_own_world(machins_mock, number):
    machins_mock.create_org(key="org_same")

def test_worker_world(machins_mock_worker):
    machins_mock_worker.create_org(key="org_same")

def test_session_world(machins_mock_session, machins_mock_worker, machins_mock):
    machins_mock_session.create_org(key="org_same")
    urls = {machins_mock_session.url, machins_mock_worker.url, machins_mock.url}
    assert len(urls) == 3

def test_environment(machins_mock_environment):
    import os
    assert os.environ["MACHINS_BASE_URL"] == machins_mock_environment.machins_base_url
    assert os.environ["MACHINEID_BASE_URL"] == machins_mock_environment.machineid_base_url
"""


@pytest.fixture(autouse=True)
def no_server_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MACHINS_MOCK_URL", raising=False)


@pytest.mark.parametrize("workers", [[], ["-n", "3"]], ids=["alone", "xdist"])
def test_each_test_has_a_world_of_its_own(pytester: pytest.Pytester, workers: list[str]) -> None:
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess(*workers).assert_outcomes(passed=9)


@pytest.mark.parametrize("variable", [None, ""], ids=["unset", "empty"])
def test_workers_share_the_session_world(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("MACHINS_MOCK_URL", variable)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_it(machins_mock_session, machins_mock_worker, worker_id, number):
            with open(f"{worker_id}.urls", "a") as file:
                print(machins_mock_session.url, machins_mock_worker.url, file=file)
        """
    )
    pytester.runpytest_subprocess("-n", "2", "--dist", "each").assert_outcomes(passed=8)
    urls = [set(path.read_text().splitlines()) for path in pytester.path.glob("*.urls")]
    assert [len(lines) for lines in urls] == [1, 1]
    (session, worker), (other_session, other_worker) = (lines.pop().split() for lines in urls)
    assert session == other_session
    assert worker != other_worker


def test_a_server_of_somebody_else_is_used(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MockServer() as server:
        monkeypatch.setenv("MACHINS_MOCK_URL", server.url)
        pytester.makepyfile(SUITE)
        pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=9)
        assert server.control("GET", "machineid/orgs")["orgs"][0]["org_key"] == "org_same"
        assert server.control("GET", "worlds")["worlds"] == []


def test_a_forked_child_does_not_hold_up_the_end(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        pool = ProcessPoolExecutor(1, get_context("fork"))

        def test_it(machins_mock):
            assert pool.submit(abs, -1).result() == 1
        """
    )
    assert pytester.runpytest_subprocess().ret == 0


def test_a_suite_without_the_fixtures_needs_no_program(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINS", "/nonexistent/machins")
    pytester.makepyfile("def test_nothing(): pass")
    pytester.runpytest_subprocess("-n", "1").assert_outcomes(passed=1)
    pytester.makepyfile("def test_world(machins_mock): pass")
    result = pytester.runpytest_subprocess("-n", "1")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*could not start /nonexistent/machins*"])


def test_a_package_without_a_program_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MACHINS")
    monkeypatch.setattr("machins_mock._server.__file__", str(Path(__file__)))
    with pytest.raises(FileNotFoundError, match="set MACHINS"):
        program()
    assert __main__.main() == 1
    assert "set MACHINS" in capsys.readouterr().err


def test_a_program_that_cannot_be_run_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MACHINS", "/nonexistent/machins")
    assert __main__.main() == 1
    assert "/nonexistent/machins" in capsys.readouterr().err


def test_the_command_is_machins_mock(pytester: pytest.Pytester) -> None:
    result = pytester.run(sys.executable, "-m", "machins_mock", "serve", "--help")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*--until-stdin-closes*"])
