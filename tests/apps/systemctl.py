#!/usr/bin/python3
"""A stand-in for systemctl where systemd is not process 1: it does with a unit's file what systemd would do.

daemon-reload has systemd check the units; enable --now starts one as its user, without capabilities, with its
state folder, credentials and notification socket, and returns when it says READY=1; status shows what it said
last. Needs Debian's python3 alone.
"""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
RUN = Path("/run/stand-in")


def directives(unit: str) -> dict[str, list[str]]:
    """The template's assignments, then the drop-ins', with %i replaced."""
    name, _, instance = unit.removesuffix(".service").partition("@")
    files = [UNITS / f"{name}@.service", *sorted((UNITS / f"{name}@{instance}.service.d").glob("*.conf"))]
    found: dict[str, list[str]] = {}
    for file in files:
        for line in file.read_text().splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                found.setdefault(key, []).append(value.replace("%i", instance))
    return found


def seconds(text: str) -> float:
    """A time span of the unit's (systemd.time(7)), as far as it uses them."""
    return float(text.removesuffix("min")) * 60 if text.endswith("min") else float(text)


def reload() -> None:
    for template in UNITS.glob("chainfirst@*.service"):
        subprocess.run(["systemd-analyze", "verify", "--man=no", str(template)], check=True)


def start(unit: str) -> None:
    found = directives(unit)
    user = pwd.getpwnam(found["User"][0])
    state = Path("/var/lib") / found["StateDirectory"][0]
    credentials = Path("/run/credentials") / f"{unit}.service"
    RUN.mkdir(exist_ok=True)
    for folder in (state, credentials):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
    state.parent.chmod(0o755)
    for each in found.get("LoadCredential", []):
        name, _, source = each.partition(":")
        shutil.copy(source, credentials / name)
        os.chown(credentials / name, user.pw_uid, user.pw_gid)
        (credentials / name).chmod(0o400)
    address = RUN / f"{unit}.notify"
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(str(address))
    address.chmod(0o777)
    environ = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "NOTIFY_SOCKET": str(address),
        "WATCHDOG_USEC": str(round(seconds(found["WatchdogSec"][0]) * 1e6)),
        "STATE_DIRECTORY": str(state),
        "CREDENTIALS_DIRECTORY": str(credentials),
    }
    command = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    command += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", *found["ExecStart"][0].split()]
    with (RUN / f"{unit}.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=found["WorkingDirectory"][0], env=environ, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
    if os.fork() == 0:  # goes on listening
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        listen(unit, ear)
        os._exit(0)
    deadline = time.monotonic() + seconds(found["TimeoutStartSec"][0])
    while "READY=1" not in said(unit):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"Job for {unit}.service failed.\n" + (RUN / f"{unit}.log").read_text())
        time.sleep(0.05)


def listen(unit: str, ear: socket.socket) -> None:
    lines: list[str] = []
    while True:
        lines += ear.recv(4096).decode().split("\n")
        fresh = RUN / f"{unit}.new"
        fresh.write_text(json.dumps(lines))
        fresh.replace(RUN / f"{unit}.json")


def said(unit: str) -> list[str]:
    file = RUN / f"{unit}.json"
    return list(json.loads(file.read_text())) if file.exists() else []


def status(unit: str) -> None:
    lines = said(unit)
    words = [line.partition("=")[2] for line in lines if line.startswith("STATUS=")]
    print(f"{unit}.service")
    print(f"     Active: {'active (running)' if 'READY=1' in lines else 'activating'}")
    print(f'     Status: "{words[-1] if words else ""}"')


if __name__ == "__main__":
    match [word for word in sys.argv[1:] if word != "--now"]:
        case ["daemon-reload"]:
            reload()
        case ["enable", name]:
            start(name)
        case ["status", name]:
            status(name)
        case other:
            sys.exit(f"the stand-in doesn't know: {other}")
