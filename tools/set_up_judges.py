"""Makes what tests judge the emulator by: ministack and the AWS CLI, each in a virtual environment of its own.

Both pin libraries that Treadle has in other versions. Once; nothing to do while nothing changed.
"""

import fcntl
import hashlib
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
JUDGES = ROOT / "tests" / "judges"
PYTHON = ROOT / ".venv" / "bin" / "python"


def make(pins: pathlib.Path) -> None:
    """The virtual environment `tests/judges/.<name>` with what `<name>.txt` pins."""
    home = JUDGES / f".{pins.stem}"
    stamp = home / ".ready"
    wanted = hashlib.sha256(str(ROOT).encode() + pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"setting up {pins.stem}", flush=True)  # noqa: T201
    stamp.unlink(missing_ok=True)
    uv = [str(PYTHON), "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", str(PYTHON), str(home)], check=True)
    install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(home / "bin" / "python")]
    subprocess.run([*install, "--requirement", str(pins)], check=True)
    stamp.write_text(wanted)


def main() -> None:
    with (ROOT / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for pins in sorted(JUDGES.glob("*.txt")):
            make(pins)


main()
