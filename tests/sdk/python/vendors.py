"""What the tests with the packages of Anthropic and Google share: clients, a model behind each format, and a look at
what went up.
"""

import base64
import http.server
import json
import threading
from types import SimpleNamespace

import anthropic
import pytest
from google import genai
from google.genai import types

# One model for each format of the providers.
MODELS = {
    "openai": "gpt-4o",
    "responses": "gpt-4.1",
    "anthropic": "claude-opus-4-6",
    "gemini": "gemini-3-flash-preview",
}
# The models whose answers the gateway has to convert for a client of Anthropic's, and of Google's.
NOT_ANTHROPIC = {name: model for name, model in MODELS.items() if name != "anthropic"}
NOT_GEMINI = {name: model for name, model in MODELS.items() if name != "gemini"}

PNG_BYTES = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG = base64.b64encode(PNG_BYTES).decode()
PDF_BYTES = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
PDF = base64.b64encode(PDF_BYTES).decode()


def of(models):
    """Runs a test for each of `models`, named by the provider's format."""
    return pytest.mark.parametrize("model", models.values(), ids=models.keys())


class Sent:
    """One request of the gateway to the provider."""

    def __init__(self, request):
        self.path = request["path"]
        self.headers = dict(request["headers"])
        self.text = request["body"]
        self.body = json.loads(self.text or "null")
        self.end = request["end"]


def sent(gateway, index=-1):
    """The provider's last request, or another one."""
    return Sent(gateway.provider.requests()[index])


def saying(gateway, model, text=None, **script):
    """Has the next request for `model` answered by these fields of a script."""
    if text is not None:
        script["content"] = text
    gateway.provider.script("script", {"model": model}, **script)


def calling(gateway, model, *calls, **script):
    """Has the next request for `model` answered by calls, given as pairs of a name and arguments."""
    calls = [{"name": name, "arguments": json.dumps(arguments)} for name, arguments in calls]
    gateway.provider.script("tool_calls", {"model": model}, calls=calls, **script)


def counts(gateway, prompt, completion, **more):
    return {"usage": {"prompt_tokens": prompt, "completion_tokens": completion, **more}}


def anthropic_client(gateway, kind=anthropic.Anthropic, **options):
    settings = {"base_url": gateway.url, "api_key": gateway.key, "max_retries": 0, "timeout": 20}
    return kind(**settings | options)


def google_client(gateway, version=None, **options):
    options = types.HttpOptions(base_url=gateway.url, api_version=version, timeout=20_000, **options)
    return genai.Client(api_key=gateway.key, http_options=options)


@pytest.fixture(scope="session")
def vendor_clients(gateway):
    """One client for each model, because clients take a while to make."""
    google = google_client(gateway)
    with anthropic_client(gateway) as claude:
        yield SimpleNamespace(claude=claude, google=google)
    google.close()


@pytest.fixture
def claude(gateway, vendor_clients):
    """A client of Anthropic's that does not retry on its own."""
    gateway.provider.forget()
    return vendor_clients.claude


@pytest.fixture
def google(gateway, vendor_clients):
    """A client of Google's."""
    gateway.provider.forget()
    return vendor_clients.google


@pytest.fixture
def picture():
    """The URL of a picture on this machine."""

    class Serve(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "image/png")
            self.send_header("content-length", str(len(PNG_BYTES)))
            self.end_headers()
            self.wfile.write(PNG_BYTES)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serve) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cat.png"
        server.shutdown()


def plain(value):
    """A block of the package as a client would read it back from a file."""
    return json.loads(value.to_json()) if hasattr(value, "to_json") else value


def shape(message):
    """A message of Anthropic's without what differs from one answer to the next."""
    blocks = []
    for block in message.content:
        block = block.to_dict()
        for own in ("id", "parsed_output"):
            block.pop(own, None)
        blocks.append({name: value for name, value in block.items() if value is not None})
    usage = SimpleNamespace(**message.usage.to_dict())
    return {
        "type": message.type,
        "role": message.role,
        "model": message.model,
        "content": blocks,
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "usage": (usage.input_tokens, usage.output_tokens),
    }


def check_order(events):
    """Checks that raw events of Anthropic's come in the order that the API promises, with blocks numbered one by one from 0."""
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds.count("message_start") == 1, kinds
    assert kinds[-2:] == ["message_delta", "message_stop"] and kinds.count("message_stop") == 1, kinds
    assert events[0].message.content == [] and events[0].message.stop_reason is None
    assert events[0].message.usage.input_tokens is not None
    assert isinstance(events[-2].usage.output_tokens, int)
    assert events[-2].delta.stop_reason
    open_block, next_block = None, 0
    for event in events[1:-2]:
        if event.type == "content_block_start":
            assert open_block is None and event.index == next_block, kinds
            open_block, next_block = event.index, next_block + 1
        elif event.type == "content_block_delta":
            assert event.index == open_block, kinds
        elif event.type == "content_block_stop":
            assert event.index == open_block, kinds
            open_block = None
        else:
            assert event.type == "ping", kinds
    assert open_block is None
