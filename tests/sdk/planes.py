"""A gateway with a fake provider behind it, each as a program, for tests with real SDKs.

As a program it runs a command against them: `python3 tests/sdk/planes.py node --test`. The command finds in its environment

- `GATEWAY_URL`: where the gateway is, without a version; `GATEWAY_KEY`: a proxy key; `GATEWAY_TOKEN`: an admin's token,
- `PROVIDER_URL`: where the fake provider and its control routes are.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug"
# The upstream of each API: the vendor, whether its base URL ends in the version, and its models.
UPSTREAMS = {
    "openai": ("openai", True, ["gpt-4o", "gpt-4o-mini", "gpt-5.1", "text-embedding-3-small", "fake-endless"]),
    "responses": ("openai_responses", True, ["gpt-4.1", "o4-mini"]),
    "anthropic": ("anthropic", False, ["claude-3-5-haiku", "claude-sonnet-4-5", "claude-opus-4-6"]),
    "gemini": ("gemini", False, ["gemini-2.5-flash", "gemini-3-flash-preview", "gemini-embedding-001"]),
}
START_SECONDS = 30
BODY_LIMIT = 256 * 1024

# One group for each fault, with a key of its own, so that what one fault teaches the gateway does not matter to other tests.
FAULTS = [
    "fake-error-400",
    "fake-error-401",
    "fake-error-403",
    "fake-error-404",
    "fake-error-409",
    "fake-error-413",
    "fake-error-422",
    "fake-error-429",
    "fake-error-500",
    "fake-error-503",
    "fake-error-529",
    "fake-cut",
    "fake-cut-head",
    "fake-stream-error",
]


def wait_for(what, condition, seconds=START_SECONDS):
    """Waits until `condition` gives something, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def call(method, url, body=None, token=None):
    """Makes a JSON call and returns status and body. The status is 0 if nobody answers."""
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, None


class Program:
    """A process that ends with the tests."""

    def __init__(self, directory, name, *arguments, **environment):
        program = PROGRAMS / name
        if not program.exists():
            raise FileNotFoundError(f"{program}: run `cargo build --workspace --bins` first")
        directory.mkdir(parents=True, exist_ok=True)
        self.log_path = directory / "log"
        self.log_file = self.log_path.open("wb")
        self.process = subprocess.Popen(
            [program, *arguments],
            cwd=directory,
            env={"PATH": os.environ.get("PATH", ""), **environment},
            stdin=subprocess.DEVNULL,
            stdout=self.log_file,
            stderr=subprocess.STDOUT,
        )

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def printed(self, pattern):
        """What `pattern` captures in the output, once it has appeared."""

        def look():
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}:\n{self.log}")
            return re.search(pattern, self.log, re.MULTILINE)

        return wait_for(f"{pattern} is printed", look).group(1)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log_file.close()


@dataclass
class Provider:
    """The fake provider's control routes."""

    base_url: str

    @property
    def control(self):
        return self.base_url.removesuffix("/v1")

    def script(self, kind, target="all", apply="once", **values):
        """Has the next request of `target` answered by a script. The fake provider's documentation describes scripts."""
        body = {"target": target, "kind": kind, "apply": apply, "values": values}
        status, answer = call("POST", f"{self.control}/_fake/script", body)
        assert status in (200, 204), (status, answer)

    def forget(self):
        """Forgets scripts and what was received."""
        for path in ("script", "journal"):
            call("DELETE", f"{self.control}/_fake/{path}")

    def requests(self):
        return call("GET", f"{self.control}/_requests")[1]["requests"]

    def of_model(self, model):
        """The requests for `model`, oldest first."""
        return [request for request in self.requests() if json.loads(request["body"] or "{}").get("model") == model]


@dataclass
class Gateway:
    """The gateway, and how to reach it."""

    url: str
    token: str
    key: str
    provider: Provider

    @property
    def base_url(self):
        return f"{self.url}/v1"

    def records(self, request_id):
        """The usage records of one request."""
        status, page = call("GET", f"{self.url}/admin/logs?limit=200", token=self.token)
        assert status == 200, page
        return [record for record in page["items"] if record["requestId"] == request_id]


def create(url, token, path, body):
    status, made = call("POST", f"{url}{path}", body, token)
    assert status == 201, (status, made)
    return made


@contextlib.contextmanager
def running(root):
    """A gateway and its fake provider, in directories below `root`; they end with the block."""
    programs = []
    try:
        fake = Program(root / "provider", "fake-provider", "--listen", "127.0.0.1:0")
        programs.append(fake)
        provider = Provider(fake.printed(r"^fake provider on (\S+)"))

        port, metrics = free_port(), free_port()
        program = Program(
            root / "gateway",
            "orchestration-api",
            "--listen",
            f"127.0.0.1:{port}",
            "--metrics-listen",
            f"127.0.0.1:{metrics}",
            "--data-dir",
            str(root / "gateway" / "data"),
            OrchestrationApi__Limits__MaxBodyBytes=str(BODY_LIMIT),
            # Errors are asked for again and again.
            OrchestrationApi__Node__BreakerFailures="0",
            # Tests serve on this machine what the gateway has to fetch.
            OrchestrationApi__Media__AllowPrivateNetworks="true",
            OrchestrationApi__Server__DrainDelaySeconds="0.1",
        )
        programs.append(program)
        url = f"http://127.0.0.1:{port}"
        password = program.printed(r"^ *password: (\S+)")
        wait_for("the gateway is ready", lambda: call("GET", f"{url}/health/ready")[0] == 200)
        status, login = call("POST", f"{url}/auth/login", {"username": "admin", "password": password})
        assert status == 200, login
        token = login["token"]

        def group(name, models, upstream="openai", **more):
            vendor, versioned, _ = UPSTREAMS[upstream]
            body = {
                "groupName": name,
                "providerType": vendor,
                "baseUrl": provider.base_url if versioned else provider.control,
                "apiKeys": [f"sk-upstream-{name}-0001"],
                "models": models,
            }
            create(url, token, "/admin/groups", body | more)

        for upstream, (_, _, models) in UPSTREAMS.items():
            aliases = {"fast": "gpt-4o-mini"} if upstream == "openai" else {}
            group(upstream, models, upstream, modelAliases=aliases)
            # `anthropic/fake-cut` is a group of its own, whose upstream is Anthropic's and cuts.
            for fault in FAULTS:
                group(f"{upstream}-{fault}", [], upstream, modelAliases={f"{upstream}/{fault}": fault})
        group("silent", ["fake-silent"], timeout=1)
        group("dead", ["dead"], baseUrl=f"http://127.0.0.1:{free_port()}/v1")
        for fault in FAULTS:
            group(fault, [fault])
        key = create(url, token, "/admin/proxy-keys", {"name": "sdk"})["key"]
        models = f"{url}/v1/models"
        wait_for("the node knows the key", lambda: call("GET", models, token=key)[0] == 200)
        yield Gateway(url, token, key, provider)
    finally:
        for program in reversed(programs):
            program.stop()


def main():
    with tempfile.TemporaryDirectory() as root, running(Path(root)) as gateway:
        environment = os.environ | {
            "GATEWAY_URL": gateway.url,
            "GATEWAY_KEY": gateway.key,
            "GATEWAY_TOKEN": gateway.token,
            "PROVIDER_URL": gateway.provider.control,
        }
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
