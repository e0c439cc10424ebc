"""TLS as others see it: testssl.sh, and a browser. Heavy."""

import base64
import hashlib
import json
import os
import shutil
import subprocess

from harness import reply, test
from harness.tls import certificate, path

# Findings of testssl.sh that are accepted: which, the beginning of what it says, and why. Whatever else is worse
# than INFO fails.
ACCEPTED = [
    ("engine_problem", "No engine or GOST support",
     "about testssl.sh's own openssl, not about the server"),
    ("cipher_order", "NOT a cipher order configured",
     "Mozilla's profile leaves the order to the client: every cipher on the list is a good one"),
    ("sessionresumption_ticket", "check failed because of connect problem",
     "its openssl leaves before the ticket came, which TLS 1.3 sends last; test_tls.py tests resumption"),
]


def is_accepted(finding):
    return any(finding["id"] == which and finding["finding"].startswith(text) for which, text, _ in ACCEPTED)


def offered(t, **more):
    tls = {**certificate("site"), "ocsp": path("site.ocsp"),
           "certificates": [certificate("site-rsa", ocsp=path("site-rsa.ocsp"))], **more}
    return t.fresh_server({"tls": tls, "quotas": {"handshakes": "0/s"}, "default_site": "site",
                           "site": {"tls": {"hsts": "365 d"}, "response": {"security": True}}})


@test(heavy=True, seconds=900, each={"intermediate": "intermediate", "modern": "modern"})
def testssl_finds_nothing(t, profile):
    if not shutil.which("testssl"):
        t.skip("testssl.sh is not installed")
    server = offered(t, profile=profile)
    address, port = server.tls_address
    out = t.directory() / "findings.json"
    done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "-n", "none", "--ip", address,
                           "--add-ca", path("ca.pem"), "--openssl", "/usr/bin/openssl", "--jsonfile", out,
                           f"https://site.example:{port}/"],
                          capture_output=True, text=True, errors="replace", timeout=850, check=False)
    t.check(out.exists(), lambda: f"testssl.sh says: {done.stdout[-800:]}{done.stderr[-400:]}")
    findings = json.loads(out.read_text())
    t.check(len(findings) > 80, f"{len(findings)} findings in all")
    bad = [f"{f['severity']} {f['id']}: {f['finding']}" for f in findings
           if f["severity"] not in ("OK", "INFO") and not is_accepted(f)]
    t.equal(bad, [], "findings of testssl.sh")
    t.equal(server.get("/").status, 200, "status afterwards")
    t.note(f"{len(findings)} findings, none bad")


PAGE = b"""<!doctype html><html><head><link rel=stylesheet href=/style.css><script src=/script.js></script></head>
<body><p id=p>from the origin</p><img src=/image.svg></body></html>"""


@test(heavy=True, seconds=120)
def a_browser_opens_a_page(t):
    browser = shutil.which("chromium")
    if not browser:
        t.skip("chromium is not installed")
    server = offered(t)
    origin, (address, port) = server.origin, server.tls_address
    origin.on("/page", reply(PAGE, fields=[("Content-Type", "text/html")]))
    origin.on("/style.css", reply(b"p { color: green }", fields=[("Content-Type", "text/css")]))
    origin.on("/script.js", reply(b"onload = () => p.textContent += ', secure: ' + isSecureContext",
                                  fields=[("Content-Type", "text/javascript")]))
    origin.on("/image.svg", reply(b"<svg xmlns='http://www.w3.org/2000/svg'/>",
                                  fields=[("Content-Type", "image/svg+xml")]))
    key = subprocess.run(["openssl", "pkey", "-in", path("site.key"), "-pubout", "-outform", "DER"],
                         capture_output=True, check=True).stdout
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    profile = t.directory()
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
         f"--host-resolver-rules=MAP site.example {address}", f"--ignore-certificate-errors-spki-list={pin}",
         "--virtual-time-budget=5000", "--dump-dom", f"https://site.example:{port}/page"],
        capture_output=True, text=True, errors="replace", timeout=110, check=False,
        env=os.environ | {"HOME": str(profile)})
    t.check("from the origin, secure: true" in done.stdout,
            lambda: f"the page: {done.stdout[-600:]}\n{done.stderr[-600:]}")
    for target in ("/page", "/style.css", "/script.js", "/image.svg"):
        line = server.next_line((0, ""), lambda line, target=target: line.target == target)
        t.equal((line.status, line["tls"], line.sni), (200, "1.3", "site.example"), f"the log about {target}")
