"""Real servers open the same file for a URL as it was sent and as sallyport forwards it: for a list written by
hand and thousands made from a seed. There is no IIS here: the kind `iis` follows its documentation."""

import os
import random

from harness import Failure, test
from harness.peers import Peer

FOLDERS = ("a", "b", "c d", "é", "m;x=1", "...", "con", "t~1", "x:y", ".h", "／")
FILES = ("f", "g.html", "h i", "é.txt", "p;q", "x.php", "...", "100%", "a+b")
KINDS = {"nginx": ("nginx", "unix", "standard"), "apache": ("apache", "unix", "standard"), "node": ("node", "unix", "standard"),
         "tomcat": ("tomcat", "tomcat", "standard"), "nginx, strict": ("nginx", "unix", "strict"),
         "tomcat, strict": ("tomcat", "tomcat", "strict"), "nginx, legacy": ("nginx", "unix", "legacy"),
         "tomcat, legacy": ("tomcat", "tomcat", "legacy")}

WRITTEN = [
    "/a/f", "/a/./f", "/a/../f", "/a/%2e%2e/f", "/a/b/../f", "/a//f", "//a/f", "/a//../f", "/b/..//a/f", "/.//a/f", "/a/..;/f", "/a;x/f",
    "/a/f;x=1", "/a/b;x/../f", "/a/f/", "/a/f/.", "/a/f/..", "/a/.../f", "/..../a/f", "/a%2ff", "/a%5cf", "/a\\f", "/a/%66", "/%61/f",
    "/c%20d/f", "/c d/f", "/%C3%A9/f", "/é/f", "/%c3%a9/%C3%A9.txt", "/a/h%20i", "/a/100%25", "/a/100%", "/a/a+b", "/a/a%2Bb", "/a/a%2bb",
    "/m;x=1/f", "/m%3Bx=1/f", "/m%3bx%3d1/f", "/x:y/f", "/x%3Ay/f", "/t~1/f", "/t%7E1/f", "/.h/f", "/%2eh/f", "/a/.%20./f", "/a/..%20/f",
    "/a/x.php/f", "/a/f.", "/a/f%20", "/a/con/f", "/con/f", "/a/f%00", "/a/f%3Fx", "/a/f%23x", "/a/f?x=/../b", "/a/b/../../f", "/a/b/../.././f",
    "/%EF%BC%8F/f", "/a/%EF%BC%8E%EF%BC%8E/f", "/a/%252e%252e/f", "/a/./b/./f", "/a/b/f/../../f", "/a/|f", "/[a]/f", "/a/f^", "/a/{f}",
    "/jsessionid/f;jsessionid=1", "/a/f;jsessionid=1.n", "/A/F", "/a/nothere/../f", "/nothere/../a/f", "/f/../a/f", "/a/f/../g.html",
    "/a/%c3%a9/../f", "/a/b//", "/a/b/.", "/a/b/..", "/", "/.", "/./", "/a/..", "/a/../", "/a/%2e", "/a/%2e/", "/a/%2e%2e", "/;/a/f", "/;x/a/f",
    "/a/;/f", "/a/;x/../f", "/a/%3b/../f", "/a/b%2f../f", "/a/..%2ff", "/a%2f../f", "/./../a/f", "/.;/a/f", "/a/%2e;x/f",
]

COUNT = int(os.environ.get("COUNT", "4000"))

DECORATIONS = ("/./", "//", "/../", "/x/../", "/b/../", "/%2e/", "/%2E%2e/", "/..;/", "/;/", "/.;x/", "/;x=1/", "/.../", "/..../", "/%20/", "/ /",
               "/.%20/", "/..%20/", "%2f", "%5c", "\\", "/%2f../", "/b%2f..%2f", "/c%20d/../", "/%C3%A9/../", "/m;x=1/../", "/%3B/../", "///../",
               "/a//../", "/%3b/", "/%252e/", "/.%09./", "/%EF%BC%8F", "/.h/../", "/t~1/..//", "/./..//", "/b/..//", "/...;/", "/%2e%2e;/")


def make_files(root):
    for folder in [root, *(root / one for one in FOLDERS), *(root / one / two for one in FOLDERS for two in FOLDERS)]:
        folder.mkdir(exist_ok=True)
        for name in FILES:
            if not (folder / name).is_dir() and name not in FOLDERS:
                (folder / name).write_text(f"{folder.relative_to(root)}/{name}")


def encoded(choice, text):
    """Bytes as they are, or as escapes of either case; what must be encoded always is."""
    out = b""
    for byte in text.encode():
        dice = choice.random()
        if dice < 0.08 or (byte in b"% ?#" and dice < 0.97):
            out += (b"%%%02x" if choice.random() < 0.5 else b"%%%02X") % byte
        else:
            out += bytes([byte])
    return out


def made(choice):
    """The path of a file that is there, spelled and decorated oddly."""
    parts = [choice.choice(FOLDERS) for _ in range(choice.randrange(3))] + [choice.choice(FILES)]
    path = b""
    for part in parts:
        path += choice.choice(DECORATIONS).encode() if choice.random() < 0.45 else b"/"
        path += encoded(choice, part)
        if choice.random() < 0.08:
            path += choice.choice((b";x", b";", b"%3b", b";jsessionid=1", b"%20", b".", b"::$DATA", b"/", b"/.", b"/.."))
    return path if path.startswith(b"/") else b"/" + path


def forwarded(t, server, targets):
    """What the origin gets for each target that is accepted."""
    client, pairs = None, []
    for target in targets:
        if client is None:
            client = server.client()
        count = len(server.origin.requests)
        client.send(b"GET " + target + b" HTTP/1.1\r\nHost: site.example\r\n\r\n")
        response = client.read_response()
        if response.status == 200:
            pairs.append((target, server.origin.requests[count].target.encode()))
        else:
            client.close()
            client = None
    if client is not None:
        client.close()
    return pairs


def in_full(target):
    """Node's usual `new URL(request.url, base)` takes //a/f for a file of the host `a`. What a path with two slashes means
    is its absolute form, by RFC 9112 section 3.3; sallyport forwards none that could be taken for the other."""
    return b"http://site.example" + target if target.startswith(b"//") else target


def identity(answer):
    return answer[1] if answer[0] == 200 else None


@test(heavy=True, seconds=120, each=KINDS)
def a_real_server_opens_the_same_file(t, row):
    name, kind, profile = row
    if not Peer.is_installed(name):
        t.skip(f"{name} is not installed")
    root, folder = t.directory(), t.directory()
    make_files(root)
    for place in (root, folder):
        place.chmod(0o755)
    peer = Peer(name, root, folder)
    t.later(peer.close)
    choice = random.Random(int(os.environ.get("SEED", "7")))
    targets = [text.encode() for text in WRITTEN] + [made(choice) for _ in range(COUNT)]
    server = t.server({"site": {"shield": {"origin_kind": kind, "profile": profile}}})
    pairs = forwarded(t, server, targets)
    wrong, opened, changed = [], 0, 0
    for raw, plain in pairs:
        t.check(not plain.startswith(b"//"), f"{raw!r} is forwarded as {plain!r}, a reference to another host")
        sent = peer.opened(plain)
        opened += sent[0] == 200
        if raw == plain:
            continue
        changed += 1
        direct = peer.opened(in_full(raw))
        # A URL that the server itself calls malformed means no file to it.
        if direct[0] != 400 and identity(direct) != identity(sent):
            wrong.append(f"{raw!r}: {direct[0]} {direct[1][:40]!r}, as {plain!r}: {sent[0]} {sent[1][:40]!r}")
    t.note(f"{len(targets)} URLs, {len(pairs)} accepted, {changed} rewritten, {opened} opened a file")
    if wrong:
        raise Failure(f"{len(wrong)} of {changed} open another file:\n" + "\n".join(wrong[:25]))
    t.check(min(opened, changed) * 20 > len(targets), f"too few URLs mean anything: {opened} opened, {changed} rewritten")
