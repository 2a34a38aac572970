"""A gateway with a fake provider behind it, both as programs of their own, for tests with the real `openai` package."""

import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import openai
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug"
START_SECONDS = 30
BODY_LIMIT = 256 * 1024

# One group for each, with a key of its own: what one fault teaches the gateway does not matter to the other tests.
FAULTS = [
    "fake-error-400",
    "fake-error-401",
    "fake-error-403",
    "fake-error-404",
    "fake-error-409",
    "fake-error-422",
    "fake-error-429",
    "fake-error-500",
    "fake-error-503",
    "fake-cut",
    "fake-cut-head",
    "fake-stream-error",
]


def wait_for(what, condition, seconds=START_SECONDS):
    """Waits until `condition` gives something, and gives that."""
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
    """A JSON call; gives status and body. Status 0: nobody answers."""
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
    """A process that is ended with the tests."""

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
        """What `pattern` captures in the output, once it is there."""

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
    clients: list = field(default_factory=list)

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


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    root = tmp_path_factory.mktemp("gateway")
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
            OrchestrationApi__Server__DrainDelaySeconds="0.1",
        )
        programs.append(program)
        url = f"http://127.0.0.1:{port}"
        password = program.printed(r"^ *password: (\S+)")
        wait_for("the gateway is ready", lambda: call("GET", f"{url}/health/ready")[0] == 200)
        status, login = call("POST", f"{url}/auth/login", {"username": "admin", "password": password})
        assert status == 200, login
        token = login["token"]

        def group(name, models, **more):
            body = {
                "groupName": name,
                "providerType": "openai",
                "baseUrl": provider.base_url,
                "apiKeys": [f"sk-upstream-{name}-0001"],
                "models": models,
            }
            create(url, token, "/admin/groups", body | more)

        group("plain", ["gpt-4o", "gpt-4o-mini", "fake-endless"], modelAliases={"fast": "gpt-4o-mini"})
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


@pytest.fixture
def client(gateway):
    """A client that does not retry by itself."""
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def counting(gateway):
    """Makes clients that count what they send: the client, and the list that its requests are added to."""
    made = []

    def make(**options):
        sent = []
        http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
        settings = {"timeout": 20} | options
        client = openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, http_client=http, **settings)
        made.append(client)
        return client, sent

    yield make
    for client in made:
        client.close()


def hello(text="Hello"):
    return [{"role": "user", "content": text}]


def raw(error):
    """The answer that an exception of the package stands for."""
    return error.response
