"""What has to hold of the image. Each function is one check, named as a sentence."""

import contextlib
import http.client
import http.server
import os
import pathlib
import struct
import subprocess
import tempfile
import threading
import time

from container import POLICY, Container, eventually, new_volume, signal_by_name

PORT = 8080
ADDED_MAX = 40 << 20  # what the image adds to Debian, in bytes
CODE_RED = "/default.ida?" + "N" * 224 + "%u9090%u6858=a"

BUILD_TOOLS = ("gcc", "cc", "c++", "cpp", "clang", "ld", "as", "make", "pkg-config", "git", "python3",
               "curl")


class Origin(http.server.ThreadingHTTPServer):
    """A web server that answers at once, or holds /slow until it is let go."""

    daemon_threads = True

    def __init__(self):
        self.asked = threading.Event()
        self.let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            self.server.asked.set()
            self.server.let_go.wait(10)
        content = b"a page of the origin"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def origin():
    server = Origin()
    try:
        yield server
    finally:
        server.let_go.set()
        server.shutdown()
        server.server_close()


def get(path, port=PORT, host="shop.example"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": host, "Connection": "close"})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def equal(got, expected, what):
    assert got == expected, f"{what}: {got!r}, expected {expected!r}"


def start(image, server, **more):
    env = {"SALLYPORT_ORIGIN": server.url} | more.pop("env", {})
    return Container(image, env=env, **more).wait_ready()


def write(image, text):
    """A file that the container's user may read."""
    fd, path = tempfile.mkstemp(dir=image.place)
    os.fchmod(fd, 0o644)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    return path


# ---- what it is made of ----


def it_says_what_an_engine_has_to_know(image):
    config = image.config
    equal(config["StopSignal"], "SIGTERM", "StopSignal")
    equal(list(config["ExposedPorts"]), ["8080/tcp"], "ExposedPorts")
    equal(list(config["Volumes"]), ["/run/sallyport", "/var/lib/sallyport"], "Volumes")
    equal(config["Healthcheck"]["Test"], ["CMD", "sallyport", "status"], "Healthcheck")
    user, group = (int(part) for part in config["User"].split(":"))
    assert user > 0 and group > 0, "the user is root"


def its_labels_tell_what_is_inside(image):
    labels = image.config["Labels"]
    prefix = "org.opencontainers.image."
    for name in ("title", "description", "licenses", "version", "revision", "created", "base.name"):
        assert labels.get(prefix + name), f"no label {prefix}{name}"
    container = Container(image, "version")
    equal(container.wait(), 0, "exit status")
    equal(container.said().split(), ["sallyport", labels[prefix + "version"]], "version")


def it_holds_no_tool_that_builds(image):
    folders = [image.root / name for name in ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin")]
    found = [name for name in BUILD_TOOLS if any((folder / name).exists() for folder in folders)]
    equal(found, [], "tools")
    equal(list((image.root / "usr/include").rglob("*.h")), [], "headers")
    installed = (image.root / "var/lib/dpkg/status").read_text()
    equal([line for line in installed.splitlines()
           if line.startswith("Package: ") and line.endswith("-dev")], [], "-dev packages")


def it_holds_no_sources_and_no_package_lists(image):
    equal(list(image.root.glob("src*")) + list(image.root.rglob("sallyport*.h")), [], "sources")
    equal([entry.name for entry in (image.root / "var/lib/apt/lists").glob("*_Packages*")], [], "lists")
    equal(list((image.root / "tmp").iterdir()), [], "/tmp")


def it_adds_little_to_debian(image):
    added = image.size - image.base_size
    assert added < ADDED_MAX, f"{added >> 20} MiB more than the base"


def its_program_may_be_given_net_admin_and_starts_without(image):
    # struct vfs_ns_cap_data / vfs_cap_data, linux/capability.h: version and flags, then permitted and inheritable
    data = os.getxattr(image.root / "usr/local/bin/sallyport", "security.capability")
    flags, permitted, inheritable = struct.unpack_from("<III", data)
    equal((flags & 1, permitted, inheritable), (0, 1 << 12, 0), "effective, permitted, inheritable")
    equal(Container(image, "version").wait(), 0, "exit status without any capability")


def it_comes_with_its_rules_compiled(image):
    cache = image.root / "var/cache/sallyport"
    equal((cache.stat().st_uid, cache.stat().st_mode & 0o777), (0, 0o755), "owner and mode of the folder")
    assert list(cache.glob("*.db")), "nothing is in the folder"

    def seconds(**more):
        began = time.monotonic()
        container = Container(image, "check", "-c", "/usr/local/share/sallyport/conf/sallyport.cfg", **more)
        equal(container.wait(60), 0, f"exit status: {container.said()}")
        return time.monotonic() - began
    kept, compiled = min(seconds() for _ in range(3)), seconds(env={"SALLYPORT_CACHE": "/nowhere"})
    assert kept < compiled / 2, f"{kept:.2f} s with what was compiled, {compiled:.2f} s without"


def its_user_owns_nothing_but_the_volumes(image):
    user = int(image.config["User"].split(":")[0])
    owned = [str(entry.relative_to(image.root)) for entry in image.root.rglob("*")
             if entry.lstat().st_uid == user]
    equal(sorted(owned), ["run/sallyport", "var/lib/sallyport"], "files of the user")


# ---- how it runs ----


def without_policy_and_origin_it_says_what_is_missing(image):
    container = Container(image)
    equal(container.wait(), 2, "exit status")
    said = container.said()
    assert "SALLYPORT_ORIGIN" in said and POLICY in said, said
    equal(said.count("\n"), 1, "lines")


def with_an_origin_it_serves_and_refuses(image):
    with origin() as server:
        container = start(image, server)
        equal(get("/"), (200, b"a page of the origin"), "a page")
        equal(get(CODE_RED)[0], 403, "Code Red")
        eventually(lambda: container.read(container.out).count(" HTTP/1.1\" ") == 2,
                   "two lines on standard output")
        assert "reason=rule" in container.read(container.out), container.said()


def its_health_check_tells_how_it_is(image):
    check = image.config["Healthcheck"]["Test"][1:]
    with origin() as server:
        container = start(image, server)
        status, said = container.execute(*check)
        assert status == 0 and ": ready" in said, said
    idle = Container(image, "run", "--listen", "nonsense", "--origin", "http://127.0.0.1:1")
    assert idle.wait() != 0, "nonsense was accepted"
    dead = Container(image, *check[1:])
    equal(dead.wait(), 1, "exit status without a server")
    assert "no server answers" in dead.said(), dead.said()


def no_process_has_a_right(image):
    with origin() as server:
        container = start(image, server)
        processes = container.processes()
        assert len(processes) >= 4, f"{len(processes)} processes"
        for process in processes:
            equal(process["Uid"].split(), [container.user] * 4, process["Name"])
            equal(process["Gid"].split(), [container.group] * 4, process["Name"])
            equal(int(process["CapEff"], 16) | int(process["CapPrm"], 16), 0, process["Name"])


def a_read_only_root_is_enough(image):
    with origin() as server:
        container = start(image, server)
        root = pathlib.Path(f"/proc/{container.pid()}/root")
        for folder in ("", "tmp", "var/tmp", "etc/sallyport", "usr/local/bin"):
            try:
                (root / folder / "probe").touch()
            except OSError as error:
                equal(error.strerror, "Read-only file system", folder)
            else:
                raise AssertionError(f"/{folder} can be written to: this check proves nothing")
        equal(get("/")[0], 200, "a page")


def a_tmpfs_that_all_may_write_to_will_do_as_volume(image):
    with origin() as server:
        container = start(image, server, volume="tmpfs")
        equal(container.execute("sallyport", "status")[0], 0, "status")
        equal(get("/")[0], 200, "a page")


def a_volume_that_a_killed_server_left_is_used_again(image):
    volume = new_volume(image)
    with origin() as server:
        for _ in range(2):
            container = start(image, server, volume=volume)
            equal(container.execute("sallyport", "status")[0], 0, "status")
            container.end()


def a_guarded_site_is_known_to_the_next_container(image):
    state = new_volume(image)
    with origin() as server:
        policy = write(image, SHOP.replace("origins =", GUARD + " origins =") % server.url)
        container = Container(image, policy=policy, state=state).wait_ready()
        eventually(lambda: "exact" in container.execute("sallyport", "vault", "list", "--site", "shop")[1],
                   "the page is known")
        container.end()
    Container(image, policy=policy, state=state).wait_ready()
    equal(get("/", 8888), (200, b"a page of the origin"), "the page, its origin being gone")


def variables_set_listener_console_and_log(image):
    with origin() as server:
        container = start(image, server, env={"SALLYPORT_LISTEN": "127.0.0.1:9090",
                                              "SALLYPORT_CONSOLE": "127.0.0.1:9091",
                                              "SALLYPORT_LOG": "off"})
        equal(get("/", 9090)[0], 200, "a page")
        equal(get("/api/status", 9091, "127.0.0.1:9091")[0], 200, "the console")
        equal(container.read(container.out), "", "the access log")


SHOP = """
listen = ( { address = ":8888"; } );
sites = ( { name = "shop"; hosts = ( "shop.example" ); origins = ( "%s" ); } );
@include "policy.d/worms.cfg"
"""
GUARD = 'guard = { mode = "enforce"; settle = "0 s"; sample_interval = "100 ms"; rate = "100/s"; };'


def a_policy_that_is_mounted_counts(image):
    with origin() as server:
        container = Container(image, policy=write(image, SHOP % server.url)).wait_ready()
        equal(get("/", 8888)[0], 200, "a page")
        equal(get("/", 8888, "other.example")[0], 421, "a host that no site has")
        equal(get(CODE_RED, 8888)[0], 403, "Code Red")
        status, said = container.execute("sallyport", "reload")
        assert status == 0, said
        equal(get("/", 8888)[0], 200, "a page after a reload")


def a_policy_with_errors_ends_it_and_tells_where(image):
    container = Container(image, policy=write(image, "listen = ( { adress = \":80\"; } );\n"))
    equal(container.wait(), 1, "exit status")
    assert f"{POLICY}:1:" in container.said(), container.said()


def a_command_can_be_given_instead(image):
    policy = write(image, SHOP % "http://10.0.0.5:80")
    container = Container(image, "check", "-c", POLICY, policy=policy)
    equal((container.wait(), "ok: 1 site," in container.said()), (0, True), container.said())
    Container(image, "run", "--demo", "--listen", f":{PORT}").wait_ready()
    eventually(lambda: get("/")[0] == 200, "the demo site answers")


def its_stop_signal_finishes_what_runs(image):
    with origin() as server:
        container = start(image, server)
        answers = []
        visitor = threading.Thread(target=lambda: answers.append(get("/slow")))
        visitor.start()
        assert server.asked.wait(10), "the origin was not asked"
        container.signal(signal_by_name(image.config["StopSignal"]))
        eventually(lambda: "finishing what runs" in container.said(), container.said)
        server.let_go.set()
        visitor.join(10)
        equal(answers, [(200, b"a page of the origin")], "the answer under way")
        equal(container.wait(), 0, "exit status")


def nothing_is_left_when_it_has_stopped(image):
    with origin() as server:
        container = start(image, server)
        pids = [process["Pid"] for process in container.processes()]
        container.signal(signal_by_name(image.config["StopSignal"]))
        equal(container.wait(), 0, "exit status")
        equal([pid for pid in pids if pathlib.Path("/proc", pid).exists()], [], "processes")


def make_image_says_what_it_needs(image):
    """Without a tool that builds images, `make image` names them."""
    source = pathlib.Path(__file__).resolve().parents[2]
    done = subprocess.run(["make", "--no-print-directory", "image", "IMAGE_TOOL="], cwd=source, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode != 0 and "docker, podman or buildah" in done.stdout, done.stdout


ALL = [
    it_says_what_an_engine_has_to_know,
    its_labels_tell_what_is_inside,
    it_holds_no_tool_that_builds,
    it_holds_no_sources_and_no_package_lists,
    it_adds_little_to_debian,
    its_program_may_be_given_net_admin_and_starts_without,
    its_user_owns_nothing_but_the_volumes,
    without_policy_and_origin_it_says_what_is_missing,
    with_an_origin_it_serves_and_refuses,
    its_health_check_tells_how_it_is,
    no_process_has_a_right,
    a_read_only_root_is_enough,
    a_tmpfs_that_all_may_write_to_will_do_as_volume,
    a_volume_that_a_killed_server_left_is_used_again,
    a_guarded_site_is_known_to_the_next_container,
    variables_set_listener_console_and_log,
    a_policy_that_is_mounted_counts,
    a_policy_with_errors_ends_it_and_tells_where,
    a_command_can_be_given_instead,
    its_stop_signal_finishes_what_runs,
    nothing_is_left_when_it_has_stopped,
    make_image_says_what_it_needs,
]
