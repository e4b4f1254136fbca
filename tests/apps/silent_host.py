"""Run in a network namespace of its own (unshare --net): a leader whose host falls silent loses the lead.

PostgreSQL, the node and the stand-by are here; the leader is in another namespace, at the other end of a
cable. The cable is pulled: no packet says that the leader is gone. Prints the seconds until the other leads.
"""

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from chainfirst.indexer.rpc.http import Endpoint
from chainfirst.ops.dev.node import Anvil
from chainfirst.ops.dev.postgres import Cluster
from chainfirst.tests.conftest import FAST, NODE_INSTALLATION
from chainfirst.tests.daemon import processes
from chainfirst.tests.daemon.processes import Running, emit

HERE, THERE = "10.213.7.1", "10.213.7.2"


def ip(*arguments: str, inside: int | None = None) -> None:
    """Run `ip` here, or in the namespace of a process."""
    enter = () if inside is None else ("nsenter", "--target", str(inside), "--net")
    subprocess.run([*enter, "ip", *arguments], check=True)


@contextlib.contextmanager
def other_host() -> Iterator[int]:
    """A namespace at the other end of a cable; the pid of a process that keeps it."""
    ip("link", "set", "lo", "up")
    ip("link", "add", "here", "type", "veth", "peer", "name", "there")
    with subprocess.Popen(
        ["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as keeper:
        assert keeper.stdin is not None and keeper.stdout is not None
        keeper.stdin.write(b"\n")  # what comes back says that it is in its namespace
        keeper.stdin.flush()
        keeper.stdout.read(1)
        ip("link", "set", "there", "netns", str(keeper.pid))
        ip("addr", "add", f"{HERE}/24", "dev", "here")
        ip("link", "set", "here", "up")
        for command in (("addr", "add", f"{THERE}/24", "dev", "there"), ("link", "set", "there", "up")):
            ip(*command, inside=keeper.pid)
        yield keeper.pid
        keeper.stdin.close()


def forward(port: int) -> None:
    """Carry what comes over the cable to the node, which listens on this host alone."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)

    def accept() -> None:
        while True:
            near, _ = server.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    server = socket.create_server((HERE, port))
    threading.Thread(target=accept, daemon=True).start()


def main(directory: Path) -> None:
    """The play; AssertionError if it isn't as it should be."""
    with other_host() as leader_host, contextlib.ExitStack() as servers:
        cluster = Cluster(directory, {**FAST, "listen_addresses": HERE, "port": "5432"})
        cluster.start()
        servers.callback(cluster.stop)
        with (cluster.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {HERE}/24 trust\n")
        anvil = Anvil(directory, install_directory=NODE_INSTALLATION)
        anvil.start()
        servers.callback(anvil.stop)
        forward(int(anvil.url.rsplit(":", 1)[1]))
        node = Endpoint(anvil.url)
        node.call_optional("evm_setAutomine", [False], object)
        address = emit(node, None)
        files = []
        for name, host in (("leader", HERE), ("stand-by", "127.0.0.1")):
            (directory / name).mkdir()
            url = f"postgresql://postgres@{HERE}/postgres" if host == HERE else cluster.url()
            endpoint = anvil.url.replace("127.0.0.1", host)
            files.append(processes.write_config(directory / name, url, [endpoint], address))
        with psycopg.connect(cluster.url(), autocommit=True) as sql:
            sql.execute("SELECT pg_reload_conf()")
            with Running(files[0], prefix=("nsenter", "--target", str(leader_host), "--net")) as leader:
                leader.hears("leading")
                emit(node, address, 2)
                leader.has_rows(cluster.url(), 2)
                with Running(files[1]) as second:
                    second.hears("standing_by")
                    pulled = time.monotonic()
                    ip("link", "set", "here", "down")
                    second.hears("leading")
                    print(f"{time.monotonic() - pulled:.2f}")
                    emit(node, address, 3)
                    second.has_rows(cluster.url(), 5)
                    ip("link", "set", "here", "up")
                    leader.hears("database_lost")
                    leader.hears("standing_by")
                    emit(node, address, 4)
                    second.has_rows(cluster.url(), 9)
                    assert len(leader.named("leading")) == 1
                    assert sql.execute("SELECT epoch FROM chain.leader").fetchone() == (2,)
                    assert second.stops() == 0


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="chainfirst-silent-"))
    try:
        main(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0)
