#!/usr/bin/env python3
"""Builds the image for real and runs it, without a container engine.

Debian's buildah builds the Dockerfile (isolation by chroot, no registry: debootstrap makes the image
that FROM names). What comes out is run as an engine would: as process 1 of its own, as the image's
user, with its environment, without capabilities, below a read-only root. Needs root; says why where it
cannot run.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import build  # noqa: E402
import checks  # noqa: E402
import container  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def skip(why):
    print(f"skipped: {why}")
    print("image: 0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def run_checks(image):
    passed = failed = 0
    for check in checks.ALL:
        name = check.__name__.replace("_", " ")
        try:
            check(image)
            passed += 1
            print(f"ok    {name}", flush=True)
        except Exception as error:  # a check that breaks is a check that failed
            failed += 1
            print(f"FAIL  {name}\n      {type(error).__name__}: {error}", flush=True)
        finally:
            container.end_all()
    return passed, failed


def main():
    if os.geteuid() != 0:
        skip("building an image by chroot needs root")
    packages = os.environ.get("PACKAGES", "").split()
    if subprocess.run([ROOT / "tests/install-packages", *packages]).returncode != 0:
        skip("its packages could not be installed")
    try:
        container.own_mounts()
    except OSError as error:
        skip(f"no mounts of its own here, as in a chroot or a container without rights: {error}")
    place = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-image-", dir="/var/tmp"))
    try:
        passed = failed = 0
        try:
            image = build.build(ROOT, place)
        except build.CannotBuildHere as error:
            skip(error)
        except build.Failed as error:
            print(f"FAIL  the image builds\n{error}")
            failed = 1
        else:
            print(f"ok    the image builds: {image.size >> 20} MiB, "
                  f"of them {image.base_size >> 20} MiB base")
            container.own_network()
            passed, failed = run_checks(image)
            passed += 1
        print(f"image: {passed} passed, {failed} failed")
        return 1 if failed else 0
    finally:
        container.end_all()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
