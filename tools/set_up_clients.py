"""Makes what the tests of the stream clients need: their npm packages, and a Chromium. Once; nothing to do after that.

Chromium comes from Debian's packages where this user may install them; the browser tests say so where there is none.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLIENTS = ROOT / "tests" / "clients"
STAMP = CLIENTS / "node_modules" / ".ready"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def digest() -> str:
    total = hashlib.sha256()
    for path in (CLIENTS / "package-lock.json", CLIENTS / "package.json", pathlib.Path(__file__)):
        total.update(path.read_bytes())
    return total.hexdigest()


def install_packages() -> None:
    if shutil.which("npm") is None:
        sys.exit("the tests of the stream clients need Node.js and npm")
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=CLIENTS, check=True, env={**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"})


def install_browser() -> None:
    """A failure is told and is none of ours: a machine without Debian's packages may have no browser."""
    if any(map(shutil.which, BROWSERS)) or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"no Chromium: {' '.join(command)} failed: {done.stderr.strip()[-300:]}")  # noqa: T201
            return


def main() -> None:
    wanted = digest()
    with (ROOT / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (STAMP.exists() and STAMP.read_text() == wanted):
            print("setting up the stream clients", flush=True)  # noqa: T201
            install_packages()
            STAMP.write_text(wanted)
        install_browser()


main()
