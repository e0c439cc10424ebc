"""Sites with a history: trees of files that a test changes, at an origin that shows visitors one and the scout another."""

import dataclasses
import gzip
import os
import pathlib
import subprocess
import sys
import urllib.parse

from .origin import reply
from .server import ROOT

sys.path.insert(0, str(ROOT / "tests/histories"))

from reader import TYPES, History, media_type  # noqa: E402

__all__ = ["ELSEWHERE", "OTHER_TYPE", "TYPES", "Form", "History", "MadeHistory", "NginxTrees", "ScriptedTrees", "target"]

ELSEWHERE = "https://evil.example/"
OTHER_TYPE = "application/xhtml+xml"
TREES = ("scout", "visitors")


def target(path):
    return "/" + urllib.parse.quote(path)


@dataclasses.dataclass(frozen=True)
class Form:
    """How a page looks: its content, whether under another type, or whether it is a redirect to ELSEWHERE."""

    content: bytes
    is_typed: bool = False
    is_moved: bool = False


def sitemap(paths):
    urls = "".join(f"<url><loc>http://site.example{target(path)}</loc></url>" for path in paths)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'.encode()


class ScriptedTrees:
    """Answers by the test's own origin."""

    def __init__(self, t, paths):
        self.origin = t.origin()
        self.origin.on("*", self._answer)
        self.trees = {tree: {} for tree in TREES}
        self.show("sitemap.xml", Form(sitemap(paths)))

    def show(self, path, form, trees=TREES):
        for tree in trees:
            self.trees[tree][path] = form

    def _answer(self, connection, request):
        path = urllib.parse.unquote(request.target.lstrip("/"))
        form = self.trees["visitors" if request.all("Via") else "scout"].get(path)
        if form is None:
            return connection.send(reply(b"nothing here\n", "404 Not Found", [("Content-Type", "text/plain")]))
        if form.is_moved:
            return connection.send(reply(b"", "302 Found", [("Location", ELSEWHERE)]))
        fields, content = [("Content-Type", OTHER_TYPE if form.is_typed else media_type(path))], form.content
        if "gzip" in (request.field("Accept-Encoding") or ""):
            fields, content = [*fields, ("Content-Encoding", "gzip")], gzip.compress(content, mtime=0)
        return connection.send(reply(content, fields=fields))


class NginxTrees:
    """Answers by nginx (peers.py), from files."""

    def __init__(self, t, paths):
        from .peers import Peer  # which takes words from here
        self.root, folder = t.directory(), t.directory()
        self.root.chmod(0o755)
        self.origin = Peer("nginx, two trees", self.root, folder)
        t.later(self.origin.close)
        self.show("sitemap.xml", Form(sitemap(paths)))

    def show(self, path, form, trees=TREES):
        for tree in trees:
            self._write(tree, path, form.content)
            self._mark(f"{tree}.typed", path, form.is_typed)
            self._mark(f"{tree}.moved", path, form.is_moved)

    def _write(self, folder, path, content):
        """At once: a page is this one or the one before, never a part."""
        file, new = self.root / folder / path, self.root / "new"
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_bytes(content)
        new.chmod(0o644)
        os.replace(new, file)

    def _mark(self, folder, path, is_set):
        if is_set:
            self._write(folder, path, b"")
        else:
            (self.root / folder / path).unlink(missing_ok=True)


def _git(folder, *arguments):
    names = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
             for what, value in (("NAME", "Editor"), ("EMAIL", "editor@site.example"))}
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True,
                   env=os.environ | names | {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"})


class MadeHistory:
    """A small site's life, committed to a repository of its own: News grow, a style is redone, an edit is taken
    back, files come and go."""

    def __init__(self, folder, articles=8):
        self.folder, self.articles = pathlib.Path(folder), articles
        _git(folder, "init", "-q")
        for edition in range(5):
            self._edit(edition)
            _git(folder, "add", "-A")
            _git(folder, "commit", "-q", "-m", f"Edition {edition}")

    def _edit(self, edition):
        for number in range(self.articles):
            self._write(f"news/{number}.html", self._article(number, edition if number % 3 else edition // 2))
        # A slip that is taken back, and bytes that are no text.
        self._write("index.html", self._article("home", edition % 2))
        self._write("style.css", f"body {{ margin: {edition // 3}em }}\n")
        self._write("a folder/é & ü.txt", f"Edition {edition}\n")
        self._write("data.json", '{"edition": %d}\n' % edition)
        self._write("logo.png", b"\x89PNG\r\n\x1a\n\0" + bytes(range(256)) * (1 + edition // 2))
        self._write("empty.txt", b"")
        self._write("code.js", f"'use strict';\nconst edition = {edition};\n" * 40)
        if edition == 3:
            (self.folder / "news/0.html").unlink()

    def _article(self, name, edition):
        lines = "".join(f"<p>Sentence {n} of {name}.</p>\n" for n in range(20 + edition))
        return f"<!doctype html>\n<html><head><title>{name}</title></head><body>\n{lines}</body></html>\n"

    def _write(self, path, content):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
