"""What Claude Code sends, against groups of OpenAI and Gemini: many betas, a cached system of several blocks, tools
with large schemas, thinking, context management, reminders between the turns, a title in JSON, and a conversation
that goes on after it was cut short.

The requests are written after public reports of what the program sends; it does not run here itself, since it needs
an account.
"""

import json

import anthropic
import pytest
from vendors import MODELS, anthropic_client, calling, check_order, counts, of, plain, saying, sent

OTHERS = {
    "openai": "gpt-4o",
    "openai_thinks": "gpt-5.1",
    "responses": "o4-mini",
    "gemini": "gemini-3-flash-preview",
    "gemini_older": "gemini-2.5-flash",
}
BETAS = [
    "claude-code-20250219",
    "oauth-2025-04-20",
    "interleaved-thinking-2025-05-14",
    "fine-grained-tool-streaming-2025-05-14",
    "context-management-2025-06-27",
    "prompt-caching-scope-2026-01-05",
    "effort-2025-11-24",
    "structured-outputs-2025-12-15",
    "message-threads-2026-08-12",
]
CACHED = {"type": "ephemeral", "ttl": "1h"}
SYSTEM = [
    {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.269; cch=00000;"},
    {"type": "text", "text": "You are Claude Code.", "cache_control": CACHED},
    {"type": "text", "text": "Rules of the house.\n" + "Be careful.\n" * 200, "cache_control": CACHED},
]


def tool(name, properties, required, **more):
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {"name": name, "description": f"{name}: " + "what it does. " * 50, "input_schema": schema, **more}


TOOLS = [
    tool(
        "Bash",
        {
            "command": {"type": "string", "description": "The command to run"},
            "timeout": {"type": "number", "description": "In ms", "exclusiveMinimum": 0, "maximum": 600000},
            "run_in_background": {"type": "boolean", "default": False},
        },
        ["command"],
    ),
    tool(
        "TodoWrite",
        {
            "todos": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string", "minLength": 1},
                        "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                        "meta": {
                            "type": "object",
                            "additionalProperties": {"type": "string"},
                            "propertyNames": {"pattern": "^[a-z]"},
                        },
                    },
                    "required": ["content", "status"],
                    "additionalProperties": False,
                },
            }
        },
        ["todos"],
    ),
    tool(
        "AskUserQuestion",
        {
            "answer": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "kind": {"const": "question"},
            "either": {"oneOf": [{"type": "string", "format": "uri"}, {"type": "integer"}]},
            "any": {},
        },
        ["kind"],
    ),
    tool(
        "mcp__some-server__a_tool_with_quite_a_long_name_that_still_fits_in_64", {"q": {"type": ["string", "null"]}}, []
    ),
    tool("ExitPlanMode", {}, [], eager_input_streaming=True, cache_control=CACHED),
]


def request(model, messages, **more):
    return {
        "model": model,
        "max_tokens": 32000,
        "system": SYSTEM,
        "messages": messages,
        "tools": TOOLS,
        "metadata": {"user_id": json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": "s" * 36})},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "betas": BETAS,
        # Older packages add it to every beta.
        "extra_query": {"beta": "true"},
    } | more


FIRST = {
    "role": "user",
    "content": [
        {"type": "text", "text": "<system-reminder>\nToday is Monday.\n</system-reminder>"},
        {"type": "text", "text": "List the files.", "cache_control": CACHED},
    ],
}


def streamed(client, **options):
    """The message of a stream, as the program reads it: raw events, put together by their index."""
    events = list(client.beta.messages.create(**options, stream=True))
    check_order(events)
    blocks = {}
    for event in events:
        if event.type == "content_block_start":
            blocks[event.index] = plain(event.content_block) | {"partial": ""}
        elif event.type == "content_block_delta":
            block, delta = blocks[event.index], event.delta
            if delta.type == "text_delta":
                block["text"] += delta.text
            elif delta.type == "thinking_delta":
                block["thinking"] += delta.thinking
            elif delta.type == "signature_delta":
                block["signature"] = delta.signature
            elif delta.type == "input_json_delta":
                block["partial"] += delta.partial_json
    content = []
    for index in sorted(blocks):
        block = blocks[index]
        partial = block.pop("partial")
        if block["type"] == "tool_use":
            block["input"] = json.loads(partial or "{}")
        content.append(block)
    return content, events[-2].delta.stop_reason, events[-2].usage


def results(content, words="a.txt\nb.txt"):
    calls = [block for block in content if block["type"] == "tool_use"]
    blocks = [{"type": "tool_result", "tool_use_id": call["id"], "content": words, "is_error": False} for call in calls]
    blocks[-1]["cache_control"] = CACHED
    return {
        "role": "user",
        "content": [*blocks, {"type": "text", "text": "<system-reminder>Keep on.</system-reminder>"}],
    }


@of(OTHERS)
def test_a_session(claude, gateway, model):
    calls = [("Bash", {"command": "ls"}), ("TodoWrite", {"todos": [{"content": "look", "status": "pending"}]})]
    calling(gateway, model, *calls, content="I will look.", thinking="They want files.")
    turns = [FIRST]
    content, reason, usage = streamed(claude, **request(model, turns))
    assert reason == "tool_use"
    assert [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"] == calls
    assert usage.output_tokens > 0

    turns += [{"role": "assistant", "content": content}, results(content)]
    calling(gateway, model, ("ExitPlanMode", {}), thinking="Done looking.")
    content, reason, _ = streamed(claude, **request(model, turns))
    assert [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"] == [
        ("ExitPlanMode", {})
    ]

    turns += [{"role": "assistant", "content": content}, results(content, [{"type": "text", "text": "Approved."}])]
    saying(gateway, model, "Two files.", **counts(gateway, 9000, 20, cached_tokens=8000))
    content, reason, usage = streamed(claude, **request(model, turns))
    assert reason == "end_turn"
    assert [block["text"] for block in content if block["type"] == "text"] == ["Two files."]
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (1000, 8000, 20)

    request_sent = sent(gateway)
    for words in (
        "You are Claude Code.",
        "Rules of the house.",
        "List the files.",
        "I will look.",
        "a.txt",
        "Approved.",
        "Keep on.",
    ):
        assert words in request_sent.text, words
    assert "cache_control" not in request_sent.text and "context_management" not in request_sent.text
    assert not [name for name in request_sent.headers if name.startswith("anthropic")]
    for name in ("Bash", "TodoWrite", "AskUserQuestion", "ExitPlanMode", TOOLS[3]["name"]):
        assert name in request_sent.text


@of(OTHERS)
def test_what_was_left_out_is_named(claude, model):
    answer = claude.beta.messages.with_raw_response.create(**request(model, [FIRST]))
    dropped = answer.headers["x-orchestration-dropped"].split(",")
    assert "context_management" in dropped
    assert "tools" not in dropped and "system" not in dropped and "messages" not in dropped


@of(OTHERS)
def test_a_title_in_json(claude, gateway, model):
    """The program asks a small model for a title of the session."""
    schema = {
        "type": "object",
        "properties": {"isNewTopic": {"type": "boolean"}, "title": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["isNewTopic", "title"],
        "additionalProperties": False,
    }
    options = {
        "model": model,
        "max_tokens": 512,
        "system": SYSTEM[:2],
        "messages": [{"role": "user", "content": "List the files."}],
        "tools": [],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        "betas": BETAS,
    }
    content, reason, _ = streamed(claude, **options)
    texts = [block["text"] for block in content if block["type"] == "text"]
    assert json.loads("".join(texts)) == {"isNewTopic": True, "title": "Paris"}
    assert reason == "end_turn"


@of(OTHERS)
def test_a_warm_up(claude, model):
    """Before a session, the program asks `quota` for one token of an answer."""
    message = claude.beta.messages.create(
        model=model, max_tokens=1, messages=[{"role": "user", "content": "quota"}], metadata={"user_id": "u"}
    )
    assert message.type == "message"


@of(OTHERS)
def test_a_session_that_was_interrupted(claude, gateway, model):
    """The user pressed Escape: the call has a result that says so, and the next words stand in the same turn."""
    calls = [
        {"type": "text", "text": "I will look."},
        {"type": "tool_use", "id": "toolu_01abcDEF-_9", "name": "Bash", "input": {"command": "ls"}},
    ]
    refused = {
        "type": "tool_result",
        "tool_use_id": "toolu_01abcDEF-_9",
        "is_error": True,
        "content": "The user doesn't want to proceed with this tool use.",
    }
    turns = [
        FIRST,
        {"role": "assistant", "content": calls},
        {"role": "user", "content": [refused, {"type": "text", "text": "[Request interrupted by user for tool use]"}]},
        {"role": "user", "content": [{"type": "text", "text": "Do something else."}]},
    ]
    saying(gateway, model, "Fine.")
    content, _, _ = streamed(claude, **request(model, turns))
    assert [block["text"] for block in content if block["type"] == "text"] == ["Fine."]
    for words in ("proceed with this tool use", "interrupted by user", "Do something else."):
        assert words in sent(gateway).text


@of(OTHERS)
def test_threads_go_on_without_one(claude, gateway, model):
    """The program has Anthropic keep the conversation. It sends all of it when it is told that nobody keeps it."""
    first = request(model, [FIRST], thread={"type": "create"})
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.beta.messages.create(**first, stream=True)
    assert caught.value.body["error"]["details"]["error_code"] == "thread_unsupported_request"
    saying(gateway, model, "Fine.")
    content, _, _ = streamed(claude, **request(model, [FIRST]))
    assert [block["text"] for block in content if block["type"] == "text"] == ["Fine."]


def test_the_same_on_anthropic(gateway):
    """For a provider of the same API the bytes pass, so nothing is lost."""
    gateway.provider.forget()
    model = MODELS["anthropic"]
    calling(gateway, model, ("Bash", {"command": "ls"}), thinking="They want files.")
    options = request(model, [FIRST])
    with anthropic_client(gateway, base_url=f"{gateway.url}/claude") as client:
        content, reason, _ = streamed(client, **options)
    assert reason == "tool_use"
    upstream = sent(gateway)
    betas = options.pop("betas")
    del options["extra_query"]
    assert upstream.body == options | {"stream": True}
    assert upstream.headers["anthropic-beta"].split(",") == betas
    assert upstream.path == "/v1/messages?beta=true"


@of(OTHERS)
def test_a_count_before_a_request(claude, model):
    options = request(model, [FIRST])
    for name in ("max_tokens", "metadata", "context_management", "output_config"):
        del options[name]
    count = claude.beta.messages.count_tokens(**options)
    assert count.input_tokens > 500
