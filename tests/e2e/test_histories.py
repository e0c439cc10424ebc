"""A guarded site with a real history: what is undisturbed passes, what was changed reaches nobody, and what an
operator approved counts at once. HISTORIES=PATH:PATH names git repositories; a history made here always runs."""

import collections
import gzip
import itertools
import json
import os
import random
import threading
import urllib.parse

from harness import test
from harness.guarded import QUICK, learned, obeyed, site
from harness.history import Form, History, MadeHistory, NginxTrees, ScriptedTrees, media_type, target

GIVEN = {path: path for path in os.environ.get("HISTORIES", "").split(":") if path}
PAGES, EDITS = 300, 600     # of one history, at most
STEPS = 25                  # edits of one page, at most
LARGEST = 1 << 20           # half of guard.max_page
VISITORS = 4                # that ask for all pages in turn; as many others ask at random all the time
CODINGS = {"identity": [], "gzip": [("Accept-Encoding", "gzip")]}
DEFACED = b"<html><head><title>Hacked by somebody</title></head><body><h1>OWNED</h1></body></html>\n"
SCRIPT = b'<script src="https://evil.example/x.js"></script>'


def flip(content, dice):
    at = dice.randrange(len(content)) if content else 0
    return content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1:] if content else b"!"


def retitle(content):
    """Its title, or its first line where it has none."""
    begin = content.lower().find(b"<title>")
    end = content.find(b"<", begin + 7) if begin >= 0 else content.find(b"\n")
    return content[:begin + 7 if begin >= 0 else 0] + b"OWNED" + content[max(end, 0):]


DEFACEMENTS = {
    "one bit": lambda content, dice: Form(flip(content, dice)),
    "one byte more": lambda content, dice: Form(content + b"\n"),
    "a script": lambda content, dice: Form(content + SCRIPT),
    "another title": lambda content, dice: Form(retitle(content)),
    "cut short": lambda content, dice: Form(content[:dice.randrange(len(content))] if content else b"\0"),
    "another page": lambda content, dice: Form(DEFACED),
    "another type": lambda content, dice: Form(content, is_typed=True),
    "a redirect": lambda content, dice: Form(content, is_moved=True),
}


class Study:
    """One history: its pages at a guarded server, what visitors may see of each, and what they saw."""

    def __init__(self, t, folder, trees):
        self.t, self.dice = t, random.Random(1)
        self.history = History(folder)
        self.moment = self.history.busiest()
        self.edits = self._choose()
        self.known = {path: (content,) for path, (content, *_) in self.edits.items()}
        self.trees = trees(t, list(self.known))
        self.counts = collections.Counter()
        self.poisoned, self.wrongly = [], []
        self.lock = threading.Lock()
        for path, (content,) in self.known.items():
            self.trees.show(path, Form(content))

    def _choose(self):
        """Path to its content now and after each edit to come: those that have one first."""
        tree = self.history.tree(self.moment)
        later = {path: [tree[path], *self.history.later(path, self.moment)] for path in tree}
        contents = self.history.contents({blob for blobs in later.values() for blob in blobs})
        paths = [path for path in sorted(tree) if contents.get(tree[path]) is not None]
        self.dice.shuffle(paths)
        paths.sort(key=lambda path: len(later[path]) == 1)
        fit = {path: [contents[blob] for blob in later[path] if blob in contents] for path in paths}
        fit = {path: forms for path, forms in fit.items() if max(map(len, forms)) <= LARGEST}
        return dict(itertools.islice(fit.items(), PAGES))

    def start(self):
        first = next(iter(self.known))
        often = "300 ms" if len(self.known) < 50 else "1 s"
        guard = QUICK | {"rate": "1000/s", "probe_interval": often, "depth": 0, "seeds": [target(first)]}
        self.server = self.t.fresh_server({"site": {"guard": guard}}, origins=[self.trees.origin])
        learned(self.t, self.server, len(self.known), 90.0)

    # ---- visitors

    def ask(self, client, path, coding, expects_copy=None):
        """One visit, judged: content and type are of a version that was good at some moment of it."""
        before = self.known[path]
        response = client.get(target(path), fields=CODINGS[coding])
        after, content = self.known[path], response.body
        if response.field("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        kind = (response.field("Content-Type") or "").partition(";")[0]
        is_whole = response.complete and response.status == 200 and kind == media_type(path)
        is_copy = response.field("Age") is not None
        with self.lock:
            self.counts["responses"] += 1
            self.counts["copies"] += is_copy
            if not is_whole or content not in before + after:
                self.poisoned.append((path, coding, response.status, kind, len(content)))
            elif expects_copy is not None and is_copy != expects_copy:
                self.wrongly.append((path, coding, "a copy" if is_copy else "the origin's"))

    def round(self, changed=frozenset(), codings=tuple(CODINGS)):
        """Everybody asks for every page: copies of those that are changed, the origin's own of all others."""
        visits = [(path, coding) for path in self.known for coding in codings]
        self.dice.shuffle(visits)
        broken = []

        def visit(share):
            client = self.server.client()
            try:
                for path, coding in share:
                    self.ask(client, path, coding, path in changed)
            except Exception as error:
                broken.append(error)
            finally:
                client.close()
        threads = [threading.Thread(target=visit, args=(visits[n::VISITORS],)) for n in range(VISITORS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.t.equal(broken, [], "visits that broke")
        self.is_clean()

    def is_clean(self):
        self.t.equal(self.poisoned[:5], [], f"what {len(self.poisoned)} visitors should not have seen")
        self.t.equal(self.wrongly[:5], [], f"{len(self.wrongly)} were answered by whom they should not have been")

    def crowd(self):
        """Visitors who ask at random from now on; ends with the function that it gives."""
        stop, broken, paths = threading.Event(), [], list(self.known)

        def visit(seed):
            dice, client = random.Random(seed), self.server.client()
            try:
                while not stop.is_set():
                    self.ask(client, dice.choice(paths), dice.choice(list(CODINGS)))
                    stop.wait(0.005)
            except Exception as error:
                broken.append(error)
            finally:
                client.close()
        threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(VISITORS)]

        def end():
            stop.set()
            for thread in threads:
                thread.join()
            self.t.equal(broken, [], "visits of the crowd that broke")
        for thread in threads:
            thread.start()
        return end

    # ---- what happens

    def undisturbed(self, times=3):
        for _ in range(times):
            self.round()
        self.counts["undisturbed"] = times * len(CODINGS) * len(self.known)

    def edit(self):
        """All edits that there are, one of each page at a time, a few pages together: more would be a defacement."""
        few = max(1, len(self.known) // 4)
        for step in range(1, STEPS + 1):
            ready = [path for path, forms in self.edits.items() if step < len(forms)][:EDITS - self.counts["edits"]]
            if not ready:
                return
            for batch in chunks(ready, few):
                self._edit_together({path: self.edits[path][step] for path in batch})

    def _edit_together(self, contents):
        contents = {path: content for path, content in contents.items() if content != self.known[path][-1]}
        if not contents:
            return
        for path, content in contents.items():
            self.trees.show(path, Form(content))
        self.round(contents.keys(), ["gzip"])
        self.t.eventually(lambda: self._waiting() == {target(path) for path in contents},
                          lambda: f"the scout has seen all {len(contents)}: {self._waiting()}", 20.0, 0.1)
        self._approve(contents)
        self.round()
        self.counts["edits"] += len(contents)

    def _waiting(self):
        """The pages of which a version that the scout has fetched waits for the operator."""
        result = self.server.command("vault", "list", "--held", "--json", "-c", str(self.server.file))
        return {urllib.parse.quote(urllib.parse.unquote(page["url"])) for page in json.loads(result.stdout)["held"]
                if page["version"]}

    def _approve(self, contents):
        """One by its name, then all others: each counts from the next request on."""
        first, *others = contents
        for paths, order in (([first], ["--url", target(first)]), (others, ["--all"])):
            if not paths:
                continue
            for path in paths:
                self.known[path] = (*self.known[path], contents[path])
            obeyed(self.t, self.server, "approve", *order)
            for path in paths:
                self.known[path] = (contents[path],)
            client = self.server.client()
            self.ask(client, paths[0], "identity", False)
            client.close()
            self.is_clean()

    def deface(self, deface):
        """All pages, as visitors alone are shown them: no look of the scout helps, no seal."""
        whole = {path: content for path, (content,) in self.known.items()}
        forms = {path: deface(content, self.dice) for path, content in whole.items()}
        forms = {path: form for path, form in forms.items() if form != Form(whole[path])}
        for path, form in forms.items():
            self.trees.show(path, form, ["visitors"])
        self.round(forms.keys())
        for path in forms:
            self.trees.show(path, Form(whole[path]), ["visitors"])
        self.round(codings=["identity"])
        self.counts["defacements"] += len(forms)


def chunks(items, count):
    return [items[at:at + count] for at in range(0, len(items), count)]


def study(t, folder, trees):
    it = Study(t, folder, trees)
    it.start()
    it.undisturbed()
    end = it.crowd()
    try:
        it.edit()
        for deface in DEFACEMENTS.values():
            it.deface(deface)
    finally:
        end()
    it.is_clean()
    t.equal(site(it.server)["state"], "guarded", "state of a site whose edits were approved")
    t.check(it.counts["edits"] and it.counts["copies"] >= it.counts["edits"] + it.counts["defacements"], f"{it.counts}")
    t.note(f"{len(it.known)} pages of {it.history.head[:12]} as of {it.history.commit(it.moment)[:12]}, {it.counts['edits']} edits, "
           f"{it.counts['defacements']} defacements, {it.counts['responses']} responses ({it.counts['undisturbed']} of them "
           f"undisturbed), {it.counts['copies']} held, {len(it.poisoned)} poisoned, {len(it.wrongly)} wrongly held")


@test(seconds=120.0)
def nobody_sees_a_change_in_a_made_history(t):
    folder = t.directory()
    MadeHistory(folder)
    study(t, folder, ScriptedTrees)


@test(heavy=True, seconds=600.0, each=GIVEN or {"made": None})
def nobody_sees_a_change_in_a_history_before_nginx(t, folder):
    if folder is None:
        folder = t.directory()
        MadeHistory(folder, articles=120)
    study(t, folder, NginxTrees)
