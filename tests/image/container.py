"""Runs an image the way an engine does, in namespaces of the kernel."""

import ctypes
import fcntl
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1

# $1 root of the image, $2 and $3 what to mount at the volumes for runtime and state, $4 a policy folder or "", then
# user, group and the command. Everything but the volumes is read-only, as with `docker run --read-only --cap-drop all`.
# Like an engine, it makes the place where the policy is mounted.
START = r"""
root=$1 volume=$2 state=$3 policy=$4 user=$5 group=$6
shift 6
[ -z "$policy" ] || : >"$root$POLICY"
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
case $volume in
tmpfs) mount -t tmpfs -o mode=1777,size=1m tmpfs "$root/run/sallyport" ;;
*) mount --bind "$volume" "$root/run/sallyport" ;;
esac
mount --bind "$state" "$root/var/lib/sallyport"
[ -z "$policy" ] || mount --bind "$policy" "$root$POLICY"
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --bounding-set -all \
	--inh-caps -all --no-new-privs -- env -i "$@"
"""

POLICY = "/etc/sallyport/sallyport.cfg"

_running = []


def _check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def own_mounts():
    """From here on mounts are this process's and its children's own, and go with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNS), "unshare")
    _check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount")
    if os.path.isdir("/var/lib/containers"):  # buildah keeps a cache there, whatever it is told
        _check(libc.mount(b"none", b"/var/lib/containers", b"tmpfs", 0, b"mode=0755"), "mount")


def own_network():
    """From here on there is nothing but a loopback of our own, so every port is free."""
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWNET), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def eventually(probe, what, seconds=10.0):
    end = time.monotonic() + seconds
    while not (value := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return value


def new_volume(image):
    """A folder of the container's user."""
    volume = tempfile.mkdtemp(dir=image.place)
    user, group = image.config["User"].split(":")
    os.chown(volume, int(user), int(group))
    return volume


class Container:
    def __init__(self, image, *args, env=None, policy=None, volume=None, state=None):
        config = image.config
        self.user, self.group = config["User"].split(":")
        self._variables = [*config["Env"], *(f"{key}={value}" for key, value in (env or {}).items())]
        self.out = tempfile.TemporaryFile(dir=image.place)
        self.err = tempfile.TemporaryFile(dir=image.place)
        volume, state = volume or new_volume(image), state or new_volume(image)
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", START, "sh",
                   image.root, volume, state, policy or "", self.user, self.group, *self._variables,
                   *config["Entrypoint"], *(args or config.get("Cmd") or [])]
        self._policy_place = pathlib.Path(f"{image.root}{POLICY}") if policy else None
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out,
                                         stderr=self.err, env=os.environ | {"POLICY": POLICY})
        _running.append(self)

    def pid(self):
        """Process 1 of the container, as seen from here."""
        parent = self._process.pid
        children = pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(children[0])

    def processes(self):
        """All processes of the container, each as the fields of its status."""
        space = os.readlink(f"/proc/{self.pid()}/ns/pid")
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "ns/pid") == space:
                    text = (entry / "status").read_text()
                    found.append(dict(line.split(":\t", 1) for line in text.splitlines()
                                      if ":\t" in line))
            except OSError:
                pass  # it has just ended
        return found

    def execute(self, *command):
        """As `docker exec` does. Gives exit status and output."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid()), "--mount", "--pid", "--root", "--wd",
             "--setuid", self.user, "--setgid", self.group, "env", "-i", *self._variables, *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        return done.returncode, done.stdout

    def read(self, stream):
        stream.seek(0)
        return stream.read().decode(errors="replace")

    def said(self):
        return self.read(self.out) + self.read(self.err)

    def wait_ready(self):
        def is_ready():
            if self._process.poll() is not None:
                raise AssertionError(f"ended with {self._process.returncode}: {self.said()}")
            return " serves: " in self.said()
        eventually(is_ready, lambda: self.said())
        return self

    def signal(self, number):
        os.kill(self.pid(), number)

    def wait(self, seconds=15):
        return self._process.wait(seconds)

    def end(self):
        if self._process.poll() is None:
            try:
                self.signal(signal.SIGKILL)  # all others in its namespace go with it
            except (IndexError, OSError):    # it has not begun, or just ended
                self._process.kill()
            self._process.wait()
        if self._policy_place:
            self._policy_place.unlink(missing_ok=True)
        self.out.close()
        self.err.close()


def end_all():
    while _running:
        _running.pop().end()


def signal_by_name(name):
    return getattr(signal, name)
