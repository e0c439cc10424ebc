#!/usr/bin/env python3
"""Reads the history of a web site's static files from a git repository, bare or not, and changes nothing there.

    tests/histories/reader.py PATH ...      what there is to read, as rows for facts.md

A history is what the main line (first parents) says: at each moment a tree, from moment to moment changes."""

import collections
import itertools
import os
import pathlib
import subprocess
import sys

TYPES = {"html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript", "mjs": "text/javascript",
         "json": "application/json", "webmanifest": "application/manifest+json", "txt": "text/plain", "vtt": "text/vtt",
         "xml": "application/xml", "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
         "gif": "image/gif", "ico": "image/x-icon", "webp": "image/webp", "woff": "font/woff", "woff2": "font/woff2",
         "ttf": "font/ttf", "otf": "font/otf", "eot": "application/vnd.ms-fontobject"}
NOT_SERVED = {"robots.txt", "sitemap.xml"}  # whoever serves a tree has those of his own
NO_BLOB = "0" * 40


def media_type(path):
    return TYPES.get(path.rpartition(".")[2].lower())


def is_static(path):
    """A file that a web server would hand out as it is."""
    is_hidden = any(part.startswith(".") for part in path.split("/"))
    return media_type(path) is not None and not is_hidden and path not in NOT_SERVED


class History:
    """Moments are numbered from 0, the oldest; a blob is named by its id."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.head = self._git("rev-parse", "HEAD").decode().strip()
        self.moments = 0
        self.changes = collections.defaultdict(list)  # path: [(moment, blob or None)]
        self._read()

    def _git(self, *arguments, given=b""):
        # A clone without all of its files shall not go and fetch them.
        result = subprocess.run(["git", "-c", f"safe.directory={self.path.resolve()}", "-C", self.path, *arguments],
                                input=given, capture_output=True, env=os.environ | {"GIT_NO_LAZY_FETCH": "1"})
        if result.returncode:
            raise ValueError(f"{self.path}: git {arguments[0]}: {result.stderr.decode(errors='replace').strip()}")
        return result.stdout

    def _read(self):
        """-z: a commit is "=ID", then come pairs of ":MODE MODE BLOB BLOB LETTER" and path."""
        words = iter(self._git("log", "--first-parent", "-m", "--reverse", "--raw", "--no-renames", "--no-abbrev",
                               "-z", "--format==%H").split(b"\0"))
        for word in words:
            word = word.lstrip(b"\n")
            if word.startswith(b"="):
                self.moments += 1
            elif word.startswith(b":"):
                self._note(word.decode().split(), next(words).decode(errors="surrogateescape"))

    def _note(self, change, path):
        _, mode, _, blob, _ = change
        if not is_static(path) or not path.isprintable():
            return
        blob = blob if mode.startswith("100") and blob != NO_BLOB else None
        changes = self.changes[path]
        if blob != (changes[-1][1] if changes else None):  # else its mode changed
            changes.append((self.moments - 1, blob))

    def tree(self, moment):
        """Path to blob, as of then."""
        found = {}
        for path, changes in self.changes.items():
            blob = next((blob for when, blob in reversed(changes) if when <= moment), None)
            if blob:
                found[path] = blob
        return found

    def later(self, path, moment):
        """The blobs that the file became after that moment, until it was taken away."""
        after = (blob for when, blob in self.changes[path] if when > moment)
        return list(itertools.takewhile(lambda blob: blob is not None, after))

    def busiest(self):
        """The moment at which most files have an edit before them."""
        steps = collections.Counter()
        for changes in self.changes.values():
            for (begin, old), (end, new) in itertools.pairwise(changes):
                if old and new:
                    steps[begin] += 1
                    steps[end] -= 1
        sums = list(itertools.accumulate(steps[moment] for moment in range(self.moments)))
        return sums.index(max(sums))

    def commit(self, moment):
        return self._git("rev-list", "--first-parent", "--reverse", "HEAD").decode().split()[moment]

    def contents(self, blobs):
        """Blob to its bytes; those that this clone does not have are left out."""
        data, found, at = self._git("cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs).encode()), {}, 0
        while at < len(data):
            end = data.index(b"\n", at)
            blob, *kind = data[at:end].decode().split()
            at = end + 1
            if kind[0] == "blob":
                found[blob] = data[at:at + int(kind[1])]
                at += int(kind[1]) + 1
        return found

    def figures(self):
        """(moments, files now, files ever, revisions, edits): an edit is a revision that follows another one."""
        revisions = sum(blob is not None for changes in self.changes.values() for _, blob in changes)
        edits = sum(bool(old and new) for changes in self.changes.values()
                    for (_, old), (_, new) in itertools.pairwise(changes))
        return self.moments, len(self.tree(self.moments)), len(self.changes), revisions, edits


def main():
    for path in sys.argv[1:]:
        history = History(path)
        print(f"| {history.head[:12]} | " + " | ".join(f"{figure:,}" for figure in history.figures()) + " |")


if __name__ == "__main__":
    main()
