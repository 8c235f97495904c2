"""`gpugrad docs`: what it says without pages or packages, and that what it serves can be read."""

import threading
import urllib.request
from types import SimpleNamespace

import pytest

from gpugrad.cli import docs, main


def test_a_wheel_has_no_pages(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(docs, "SOURCE", tmp_path / "docs")
    assert main(["docs", "--build"]) == 2
    said = capsys.readouterr().err
    assert "wheels have no documentation" in said and "pip download --no-binary gpugrad" in said


def test_without_the_extra_it_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(docs, "PACKAGES", {"no_such_theme": "no-such-theme"})
    assert main(["docs", "--open"]) == 2
    assert "gpugrad docs needs no-such-theme: pip install 'gpugrad[docs]'" in capsys.readouterr().err


def test_one_of_build_and_open_is_needed():
    with pytest.raises(SystemExit) as ended:
        main(["docs"])
    assert ended.value.code == 2


@pytest.mark.parametrize(("status", "words"), [(0, "built: "), (2, "the build failed with status 2")])
def test_a_warning_is_an_error(monkeypatch, capsys, tmp_path, status, words):
    called = []
    monkeypatch.setattr(docs, "PACKAGES", {})
    monkeypatch.setattr(
        docs.subprocess, "run", lambda command, check: called.append(command) or SimpleNamespace(returncode=status)
    )
    assert main(["docs", "--build", "--out", str(tmp_path)]) == status
    assert words in capsys.readouterr().out
    (command,) = called
    assert command[1:3] == ["-m", "sphinx"] and "-W" in command and command[-1] == str(tmp_path)


def test_pages_are_served_to_this_machine_alone(monkeypatch, tmp_path):
    (tmp_path / "index.html").write_text("a page")
    opened, closed = [], []

    class Server(docs.ThreadingHTTPServer):
        def server_close(self):
            closed.append(self.server_address[0])
            super().server_close()

    def read(address):
        def fetch():
            opened.append(urllib.request.urlopen(address, timeout=10).read())
            servers[0].shutdown()

        threading.Thread(target=fetch).start()

    servers = []
    monkeypatch.setattr(docs, "ThreadingHTTPServer", lambda *given: servers.append(Server(*given)) or servers[0])
    monkeypatch.setattr(docs.webbrowser, "open", read)
    docs.serve(tmp_path)
    assert opened == [b"a page"] and closed == ["127.0.0.1"]
