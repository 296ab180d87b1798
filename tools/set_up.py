"""Makes `.venv` what pyproject.toml and constraints.txt say, once; safe when two of them run at the same time.

Runs on any Python 3 and looks for one that is new enough. The stamp `.venv/.ready` is written last and holds a digest
of the files that define the environment, so that nothing is done where nothing changed.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / ".ready"
PYTHON = VENV / "bin" / "python"
NEEDED = (3, 11)


def digest() -> str:
    """What the environment is made from, this checkout's place included: scripts in it hold absolute paths."""
    total = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "constraints.txt", "tools/set_up.py"):
        total.update((ROOT / name).read_bytes())
    return total.hexdigest()


def base_python() -> str:
    """A Python that Treadle runs on."""
    if sys.version_info[:2] >= NEEDED:
        return sys.executable
    for name in ("python3.13", "python3.12", "python3.11"):
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    sys.exit("Treadle needs Python 3.11 or newer; python3 is {}.{}".format(*sys.version_info[:2]))


def build() -> None:
    if VENV.exists() and not PYTHON.exists():
        shutil.rmtree(VENV)
    if not PYTHON.exists():
        made = subprocess.run([base_python(), "-m", "venv", str(VENV)], check=False)
        if made.returncode != 0:
            sys.exit("cannot make a virtual environment; on Debian: apt-get install python3-venv")
    constraints = ROOT / "constraints.txt"
    uv = next(line for line in constraints.read_text().splitlines() if line.startswith("uv=="))
    pip = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", uv], check=True)
    # bytecode now, once: where PYTHONDONTWRITEBYTECODE is set, every start would compile all of it again
    install = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(PYTHON)]
    subprocess.run([*install, "--constraints", str(constraints), "--editable", f"{ROOT}[dev]"], check=True)
    sources = [str(ROOT / folder) for folder in ("adapter", "infra", "localstack", "cli")]
    subprocess.run([str(PYTHON), "-m", "compileall", "-q", *sources], check=True)


def main() -> None:
    wanted = digest()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    with (ROOT / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted:
            return
        print("setting up .venv", flush=True)  # noqa: T201
        STAMP.unlink(missing_ok=True)
        build()
        fresh = STAMP.with_name(f".ready.{os.getpid()}")
        fresh.write_text(wanted)
        fresh.replace(STAMP)


main()
