"""The base image by debootstrap, and the image by buildah."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess

BASE = "docker.io/library/debian:bookworm-slim"
NAME = "localhost/sallyport:test"
MIRROR = "http://deb.debian.org/debian"
# What an engine may not find in the real bookworm-slim either.
DROPPED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt/lists",
           "var/cache/apt")
HANDED_ON = re.compile(r"^Acquire::(https?::Proxy|Check-Valid-Until|Check-Date)\b.*;$", re.M | re.I)


class CannotBuildHere(Exception):
    """This machine lacks what building takes."""


class Failed(Exception):
    """The image itself does not build."""


@dataclasses.dataclass
class Image:
    root: pathlib.Path  # its files
    config: dict        # as an engine reads it
    size: int
    base_size: int
    place: pathlib.Path


class Buildah:
    def __init__(self, place):
        self._storage = ["--storage-driver", "vfs", "--root", str(place / "storage"),
                         "--runroot", str(place / "runroot")]
        self._env = os.environ | {"TMPDIR": str(place), "BUILDAH_FORMAT": "docker",
                                  "BUILDAH_ISOLATION": "chroot"}

    def __call__(self, *args):
        """Its standard output, or subprocess.CalledProcessError with what it said."""
        done = subprocess.run(["buildah", *self._storage, *args], env=self._env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done.check_returncode()
        return done.stdout.strip()


def last_lines(error, n=30):
    return "\n".join(f"{error.stdout or ''}\n{error.stderr or ''}".strip().splitlines()[-n:])


def mirror():
    """The Debian mirror that this machine itself uses."""
    files = [pathlib.Path("/etc/apt/sources.list"),
             *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]
    for file in files:
        lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
        for line in lines:
            found = re.search(r"\bhttps?://\S+/debian/?(?=\s|$)", line)
            if found and not line.lstrip().startswith("#"):
                return found[0]
    return MIRROR


def make_base(place):
    """The files of a minimal Debian 12, which gets its packages the way this machine does."""
    base = place / "base"
    command = ["debootstrap", "--variant=minbase", "bookworm", str(base), mirror()]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise CannotBuildHere("debootstrap: " + (done.stdout.strip().splitlines() or ["failed"])[-1])
    for name in DROPPED:
        shutil.rmtree(base / name, ignore_errors=True)
    dump = subprocess.run(["apt-config", "dump"], stdout=subprocess.PIPE, text=True).stdout
    settings = "".join(f"{match[0]}\n" for match in HANDED_ON.finditer(dump))
    (base / "etc/apt/apt.conf.d/99mirror").write_text(settings)
    return base


def size_of(root):
    return sum(entry.lstat().st_size for entry in root.rglob("*")
               if not entry.is_symlink() and entry.is_file())


def tag_base(buildah, base):
    """Makes the files the image that FROM names, and tries whether a command runs in it."""
    try:
        name = buildah("from", "scratch")
        buildah("copy", "--quiet", name, str(base), "/")
        buildah("config", "--cmd", "/bin/bash", name)
        buildah("run", name, "--", "true")
        buildah("commit", "--quiet", "--rm", name, BASE)
    except subprocess.CalledProcessError as error:
        raise CannotBuildHere(f"buildah: {last_lines(error, 1)}") from error


def build(source, place):
    buildah = Buildah(place)
    base = make_base(place)
    base_size = size_of(base)
    tag_base(buildah, base)
    shutil.rmtree(base)
    try:
        # As `docker build .` would, with no argument: what the Dockerfile says by itself is tested.
        buildah("build", "--pull-never", "--tag", NAME, str(source))
    except subprocess.CalledProcessError as error:
        raise Failed(last_lines(error)) from error
    name = buildah("from", "--pull-never", NAME)
    root = pathlib.Path(buildah("mount", name))
    config = json.loads(buildah("inspect", "--type", "image", NAME))["Docker"]["config"]
    return Image(root, config, size_of(root), base_size, place)
