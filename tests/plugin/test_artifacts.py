"""What a failing test's servers saw is kept in a folder, for those who read its report elsewhere, or later."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Failure = Callable[..., pytest.TestReport]
FILES = ["1.eml", "index.html", "transcript.txt"]
FAILS = """
    def test(smtpd):
        send(smtpd)
        assert False
"""


def folders(base: Path) -> dict[str, list[str]]:
    """What is in each folder below, by its name without the digits that make it unique."""
    return {
        re.sub(r"-[0-9a-f]{8}$", "", folder.name): sorted(path.name for path in folder.iterdir())
        for folder in sorted(base.iterdir())
    }


def test_a_failing_test_leaves_its_transcript_its_mails_and_a_page(failure: Failure, tmp_path: Path) -> None:
    report = failure(FAILS, f"--smtpd-artifacts={tmp_path}")
    assert folders(tmp_path) == {"test_inner.py-test": FILES}
    (folder,) = tmp_path.iterdir()
    assert "S: 220 localhost ESMTP" in (folder / "transcript.txt").read_text()
    assert (folder / "1.eml").read_bytes().count(b"\r\n\r\n") == 1
    assert "test_inner.py::test" in (folder / "index.html").read_text()
    assert report.longreprtext.rstrip().endswith(str(folder / "index.html"))


def test_the_terminal_names_the_path(run: Run, tmp_path: Path) -> None:
    result = run(FAILS, f"--smtpd-artifacts={tmp_path}")
    (folder,) = tmp_path.iterdir()
    assert result.stdout.str().count(str(folder / "index.html")) == 1


def test_the_path_is_shown_also_where_captured_output_is_not(failure: Failure, tmp_path: Path) -> None:
    report = failure(FAILS, f"--smtpd-artifacts={tmp_path}", "--show-capture=no")
    assert "index.html" in report.longreprtext
    assert "Captured" not in report.longreprtext


OTHERS = {
    "passes": "def test(smtpd): send(smtpd)",
    "is expected to fail": "@pytest.mark.xfail\ndef test(smtpd):\n    send(smtpd)\n    assert False",
    "is skipped": "def test(smtpd):\n    send(smtpd)\n    pytest.skip()",
    "has no server": "def test():\n    assert False",
}


@pytest.mark.parametrize("source", OTHERS.values(), ids=OTHERS)
def test_a_test_leaves_nothing_that(run: Run, tmp_path: Path, source: str) -> None:
    run(source, f"--smtpd-artifacts={tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


def test_without_the_option_nothing_is_written(run: Run, pytester: pytest.Pytester) -> None:
    run(FAILS)
    assert {path.name for path in pytester.path.iterdir()} <= {"test_inner.py", "mail.py", "__pycache__"}


def test_the_ini_option_is_relative_to_the_ini_file(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nsmtpd_artifacts = kept/here\n")
    (pytester.path / "below").mkdir()
    monkeypatch.chdir(pytester.path / "below")
    run(FAILS, "..")
    assert folders(pytester.path / "kept" / "here") == {"test_inner.py-test": FILES}


def test_the_command_line_is_stronger_than_the_ini_file(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makeini("[pytest]\nsmtpd_artifacts = kept\n")
    run(FAILS, f"--smtpd-artifacts={tmp_path / 'new'}")
    assert not (pytester.path / "kept").exists()
    assert list(folders(tmp_path / "new")) == ["test_inner.py-test"]


def test_every_name_is_good_for_every_file_system(run: Run, tmp_path: Path) -> None:
    run(
        r"""
        @pytest.mark.parametrize("name", [
            "a:b*c?d\"e<f>g|h\\i/j", "ü" * 300, "x" * 300, "x" * 300 + "y", "", ".", "a b", "a\nb", "CON", "A", "a",
        ])
        def test(smtpd, name):
            send(smtpd)
            assert False

        class TestCase(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def _server(self, smtpd):
                pass

            def test(self):
                assert False
        """,
        f"--smtpd-artifacts={tmp_path}",
    )
    names = [path.name for path in tmp_path.iterdir()]
    assert len({name.lower() for name in names}) == 12
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        assert len(name) <= 200
        assert name.strip(".- ") == name


def test_another_server_has_a_folder_of_its_own(run: Run, tmp_path: Path) -> None:
    run(
        """
        def test(smtpd, smtpd_factory):
            send(smtpd)
            send(smtpd_factory("backup"))
            smtpd_factory("backup")
            smtpd_factory("../escape: *")
            assert False
        """,
        f"--smtpd-artifacts={tmp_path}",
    )
    (folder,) = tmp_path.iterdir()
    inner = {path.name: sorted(one.name for one in path.iterdir()) for path in folder.iterdir() if path.is_dir()}
    assert inner["backup"] == FILES
    assert len(inner) == 3
    for name in inner:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)


def test_a_rerun_replaces_what_the_attempt_before_left(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("pytest_rerunfailures")
    attempts = """
        counts = []

        def test(smtpd):
            counts.append(smtpd)
            for _ in range(3 - len(counts)):
                send(smtpd)
            assert len(counts) > {passing}
    """
    plugin = ["-p", "rerunfailures", "--reruns=2", "-p", "no:randomly"]
    run(attempts.format(passing=9), *plugin, f"--smtpd-artifacts={tmp_path / 'fails'}")
    assert list(folders(tmp_path / "fails").values()) == [["index.html", "transcript.txt"]]
    run(attempts.format(passing=1), *plugin, f"--smtpd-artifacts={tmp_path / 'heals'}")
    assert not list((tmp_path / "heals").iterdir())


def test_files_of_the_user_in_that_folder_stay(run: Run, tmp_path: Path) -> None:
    run(FAILS, f"--smtpd-artifacts={tmp_path}")
    (folder,) = tmp_path.iterdir()
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    run("def test(smtpd): pass", f"--smtpd-artifacts={tmp_path}")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert (tmp_path / "other").exists()


@pytest.mark.parametrize("when", ["setup", "teardown"])
def test_failures_around_the_test_are_kept_too(failure: Failure, tmp_path: Path, when: str) -> None:
    report = failure(
        f"""
        @pytest.fixture
        def broken(smtpd):
            {"yield" if when == "teardown" else ""}
            send(smtpd)
            raise LookupError

        def test(broken):
            pass
        """,
        f"--smtpd-artifacts={tmp_path}",
    )
    assert folders(tmp_path) == {"test_inner.py-test": FILES}
    assert "index.html" in report.longreprtext


def test_workers_write_to_the_same_folder(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    run(FAILS, "-p", "xdist", "-n1", f"--smtpd-artifacts={tmp_path}")
    assert folders(tmp_path) == {"test_inner.py-test": FILES}


def test_what_cannot_be_written_says_so_and_the_run_goes_on(failure: Failure, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    report = failure(FAILS, f"--smtpd-artifacts={tmp_path / 'file'}")
    assert "could not be written" in report.longreprtext
    assert "assert False" in report.longreprtext


def test_the_server_of_the_session_is_saved_for_each_test(run: Run, tmp_path: Path) -> None:
    run(
        """
        @pytest.mark.parametrize("count", [1, 2])
        def test(smtpd_session, count):
            for _ in range(count):
                send(smtpd_session)
            assert False
        """,
        f"--smtpd-artifacts={tmp_path}",
    )
    assert {name: len(files) for name, files in folders(tmp_path).items()} == {
        "test_inner.py-test-1": 3,
        "test_inner.py-test-2": 4,
    }
