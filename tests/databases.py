#!/usr/bin/env python3
"""Runs a command against each database server in turn: `tests/databases.py cargo test --workspace --lib`.

Servers that run in temporary directories, on free ports of the loopback interface, and end with this program:

- `mysql`: MariaDB,
- `postgres`: PostgreSQL in the order of bytes (C.UTF-8),
- `postgres-icu`: PostgreSQL in a locale of a language, where digits come after letters, and case matters last.

The command finds in its environment

- `TEST_DATABASE_URL`: the URL of a database of the server, by which others may be made,
- `TEST_DATABASE_PID`: the process of the server, which the command may stop and continue,
- `TEST_DATABASE_SMALL_NAME`: the name of an empty database whose files are on a small disk, and `TEST_DATABASE_SMALL_DISK`: a directory of that disk,
  by which it may be filled. Both are empty where no disk can be mounted.

`tests/databases.py --only mysql COMMAND` runs against one of them. A server that has to be run by its own user is, if this is run by root.
"""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 20


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def identity(user):
    """How a process is started as `user`, if this is run by root: neither server runs as root."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def program(name, *places):
    found = shutil.which(name) or next((path for place in places for path in sorted(glob.glob(f"{place}/{name}"), reverse=True)), None)
    if not found:
        sys.exit(f"{name} is not installed")
    return found


def postgres_program(name):
    # What stands in the path may be a wrapper that does more than the program.
    return program(name) if not glob.glob(f"/usr/lib/postgresql/*/bin/{name}") else sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))[-1]


def run(command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{command[0]}: {done.stdout}")


@contextlib.contextmanager
def serving(command, answers, log, **options):
    """Runs a server until the block ends."""
    with open(log, "w", encoding="utf-8") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)
    try:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(answers, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[0]} does not start: {Path(log).read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.1)
        yield server.pid
    finally:
        # SIGINT is a fast shutdown to PostgreSQL, and MariaDB takes SIGTERM. One that a test has left stopped goes on first.
        for send in (signal.SIGCONT, signal.SIGINT if "postgres" in command[0] else signal.SIGTERM):
            if server.poll() is None:
                server.send_signal(send)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def directory(user):
    with tempfile.TemporaryDirectory(prefix="database-", dir="/tmp", ignore_cleanup_errors=True) as path:
        if os.getuid() == 0:
            entry = pwd.getpwnam(user)
            os.chown(path, entry.pw_uid, entry.pw_gid)
        yield path


SMALL_DISK_MIB = 24
SMALL_DATABASE = "small_disk"


@contextlib.contextmanager
def small_disk(root, user):
    """A directory on a small disk of its own, which belongs to the server. None where none can be mounted."""
    place = Path(root, "small")
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        yield None
        return
    try:
        files = place / "files"
        files.mkdir()
        os.chown(files, user["user"], user["group"])
        yield files
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@contextlib.contextmanager
def mysql():
    with directory("mysql") as root:
        port, user = free_port(), identity("mysql")
        run(
            [program("mariadb-install-db"), "--no-defaults", f"--datadir={root}/data", "--skip-test-db", "--auth-root-authentication-method=normal"],
            cwd=root,
            **user,
        )
        init = Path(root, "init.sql")
        init.write_text("CREATE USER test@'%' IDENTIFIED BY 'test';\nGRANT ALL ON *.* TO test@'%';\n", encoding="utf-8")
        init.chmod(0o644)
        command = [
            program("mariadbd", "/usr/sbin"),
            "--no-defaults",
            f"--datadir={root}/data",
            f"--socket={root}/socket",
            f"--pid-file={root}/pid",
            f"--init-file={init}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--max-connections=400",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
        ]
        answers = [program("mariadb"), "--no-defaults", "--protocol=tcp", "-h127.0.0.1", f"-P{port}", "-utest", "-ptest", "-e", "SELECT 1"]
        with small_disk(root, user) as small, serving(command, answers, f"{root}/log", cwd=root, **user) as pid:
            if small:
                # A database is a folder among the data; the server follows a link to one.
                Path(root, "data", SMALL_DATABASE).symlink_to(small)
            yield f"mysql://test:test@127.0.0.1:{port}/mysql", pid, small


@contextlib.contextmanager
def postgres(*locale):
    with directory("postgres") as root:
        port, user = free_port(), identity("postgres")
        run(
            [postgres_program("initdb"), "-D", f"{root}/data", "-U", "test", "-A", "trust", "--no-sync", "--encoding=UTF8", *locale],
            cwd=root,
            **user,
        )
        command = [postgres_program("postgres"), "-D", f"{root}/data", "-p", str(port), "-k", root]
        for setting in ("listen_addresses=127.0.0.1", "fsync=off", "max_connections=400", "shared_buffers=32MB"):
            command += ["-c", setting]
        url = f"postgres://test@127.0.0.1:{port}/postgres"
        client = [program("psql"), url]
        with small_disk(root, user) as small, serving(command, [*client, "-c", "SELECT 1"], f"{root}/log", cwd=root, **user) as pid:
            if small:
                run([*client, "-c", f"CREATE TABLESPACE {SMALL_DATABASE} LOCATION '{small}'"])
                run([*client, "-c", f"CREATE DATABASE {SMALL_DATABASE} TABLESPACE {SMALL_DATABASE}"])
            yield url, pid, small


SERVERS = {
    "mysql": mysql,
    "postgres": lambda: postgres("--locale=C.UTF-8"),
    "postgres-icu": lambda: postgres("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US-u-kr-latn-digit"),
}


def main(arguments):
    names = list(SERVERS)
    if arguments[:1] == ["--only"]:
        names, arguments = [arguments[1]], arguments[2:]
    if not arguments:
        sys.exit(__doc__)
    failed = []
    for name in names:
        print(f"-- {name}", flush=True)
        with SERVERS[name]() as (url, pid, small):
            environment = {**os.environ, "TEST_DATABASE_URL": url, "TEST_DATABASE_PID": str(pid)}
            environment["TEST_DATABASE_SMALL_NAME"] = SMALL_DATABASE if small else ""
            environment["TEST_DATABASE_SMALL_DISK"] = str(small.parent) if small else ""
            if subprocess.run(arguments, env=environment, check=False).returncode != 0:
                failed.append(name)
    if failed:
        sys.exit(f"failed on {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
