"""Chats and functions with the real `google-genai` package against providers of every format: functions that the
package calls by itself, with the signatures kept; modes of function calling. Check Z2 in `docs/CONFORMANCE.md` section
10."""

import asyncio
import json

import pytest
from google.genai import types
from vendors import MODELS, NOT_GEMINI, calling, google_client, of, saying, sent

CITIES = ["Paris", "Rome"]


def tool(seen):
    def weather(city: str) -> dict:
        """The weather in a city."""
        seen.append(city)
        return {"city": city, "degrees": 21}

    return weather


def signatures(body):
    """Of the calls in a request to Gemini, step by step; a step may be several contents, each of a chunk of a stream."""
    steps, role = [], None
    for content in body["contents"]:
        if content["role"] == "model" and role != "model":
            steps.append([])
        role = content["role"]
        if role == "model":
            steps[-1] += [part.get("thoughtSignature") for part in content["parts"] if "functionCall" in part]
    return [step for step in steps if step]


@of(MODELS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_functions_over_two_rounds(google, gateway, model, stream):
    seen = []
    config = types.GenerateContentConfig(tools=[tool(seen)])
    chat = google.chats.create(model=model, config=config)

    def send(text):
        if stream:
            return "".join(chunk.text or "" for chunk in chat.send_message_stream(text))
        return chat.send_message(text).text

    calling(gateway, model, *(("weather", {"city": city}) for city in CITIES))
    calling(gateway, model, ("weather", {"city": "Oslo"}))
    saying(gateway, model, "All are warm.")
    assert send("How is the weather?") == "All are warm."
    assert seen == [*CITIES, "Oslo"]
    assert len(gateway.provider.requests()) == 3
    if model == MODELS["gemini"]:
        # Only the first call of a step is signed; the real signature comes back.
        made = signatures(sent(gateway).body)
        assert [[bool(one) for one in step] for step in made] == [[True, False], [True]]
        assert "c2tpcF90aG91Z2h0" not in sent(gateway).text

    # The conversation goes on.
    calling(gateway, model, ("weather", {"city": "Bern"}))
    saying(gateway, model, "It is warm too.")
    assert send("And in Bern?") == "It is warm too."
    assert seen[-1] == "Bern"
    text = sent(gateway).text
    # The package keeps a streamed answer as a content for each of its chunks.
    for words in ("How is the weather?", "All ", "warm.", "And in Bern?", "Oslo", "degrees"):
        assert words in text


@of(MODELS)
def test_calls_by_hand(google, gateway, model):
    calls = [("weather", {"city": "Paris, 🇫🇷", "n": 12345678901234567}), ("clock", {}), ("weather", {"city": "Rome"})]
    calling(gateway, model, *calls)
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "n": {"type": "integer"}}}
    functions = [
        types.FunctionDeclaration(name="weather", description="The weather", parameters_json_schema=schema),
        types.FunctionDeclaration(name="clock", description="The time"),
    ]
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=functions)])
    answer = google.models.generate_content(model=model, contents="Hello", config=config)
    made = answer.function_calls
    assert [(call.name, call.args or {}) for call in made] == calls
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP

    results = [
        types.Part(
            function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": f"no {number}"})
        )
        for number, call in enumerate(made)
    ]
    contents = [
        types.Content(role="user", parts=[types.Part(text="Hello")]),
        answer.candidates[0].content,
        types.Content(role="user", parts=results),
    ]
    second = google.models.generate_content(model=model, contents=contents, config=config)
    assert second.text
    text = sent(gateway).text
    places = [text.index(f"no {number}") for number in range(3)]
    assert places == sorted(places)


@of(MODELS)
def test_calls_in_a_stream_are_whole(google, gateway, model):
    calls = [("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})]
    calling(gateway, model, *calls)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="weather")])]
    )
    chunks = list(google.models.generate_content_stream(model=model, contents="Hello", config=config))
    made = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [(call.name, call.args) for call in made] == calls


MODES = [
    ("AUTO", None, {"openai": ("auto", None), "responses": ("auto", None), "anthropic": ({"type": "auto"}, None)}),
    ("ANY", None, {"openai": ("required",), "responses": ("required",), "anthropic": ({"type": "any"},)}),
    ("NONE", None, {"openai": ("none",), "responses": ("none",), "anthropic": ({"type": "none"},)}),
    (
        "ANY",
        ["clock"],
        {
            "openai": ({"type": "function", "function": {"name": "clock"}},),
            "responses": ({"type": "function", "name": "clock"},),
            "anthropic": ({"type": "tool", "name": "clock"},),
        },
    ),
]


@pytest.mark.parametrize(("mode", "names", "said"), MODES, ids=["auto", "any", "none", "named"])
@pytest.mark.parametrize("upstream", NOT_GEMINI)
def test_modes(google, gateway, upstream, mode, names, said):
    model = MODELS[upstream]
    functions = [types.FunctionDeclaration(name=name, description=name) for name in ("weather", "clock")]
    calling_config = types.FunctionCallingConfig(mode=mode, allowed_function_names=names)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=functions)],
        tool_config=types.ToolConfig(function_calling_config=calling_config),
    )
    answer = google.models.generate_content(model=model, contents="Hello", config=config)
    assert sent(gateway).body.get("tool_choice") in said[upstream]
    called = [call.name for call in answer.function_calls or []]
    assert called == ([] if mode == "NONE" else names or ["weather"])


@of(MODELS)
def test_schemas_of_the_older_kind(google, gateway, model):
    """`parameters` has types in capitals, and says that null is allowed in its own way."""
    schema = types.Schema(
        type="OBJECT",
        properties={
            "city": types.Schema(type="STRING", nullable=True),
            "days": types.Schema(type="ARRAY", items=types.Schema(type="INTEGER"), min_items=1),
        },
        required=["city"],
    )
    functions = [types.FunctionDeclaration(name="weather", description="The weather", parameters=schema)]
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=functions)])
    answer = google.models.generate_content(model=model, contents="Hello", config=config)
    assert [call.name for call in answer.function_calls] == ["weather"]
    text = sent(gateway).text
    if model != MODELS["gemini"]:
        assert '"STRING"' not in text and '"OBJECT"' not in text and "nullable" not in text


def test_thoughts_and_functions_of_an_async_chat(gateway):
    """Signatures also survive the package's history when thoughts are shown."""
    gateway.provider.forget()
    model, seen = MODELS["gemini"], []

    async def use():
        client = google_client(gateway).aio
        config = types.GenerateContentConfig(
            tools=[tool(seen)], thinking_config=types.ThinkingConfig(include_thoughts=True)
        )
        chat = client.chats.create(model=model, config=config)
        calling(gateway, model, ("weather", {"city": "Paris"}), thinking="I need the weather.")
        saying(gateway, model, "It is warm.", thinking="Now I know.")
        answer = await chat.send_message("How is the weather in Paris?")
        await client.aclose()
        return answer.text

    assert asyncio.run(use()) == "It is warm."
    assert seen == ["Paris"]
    assert all(step[0] for step in signatures(sent(gateway).body))


@pytest.mark.parametrize("first", MODELS)
@pytest.mark.parametrize("second", MODELS)
def test_a_history_moves_from_one_provider_to_another(google, gateway, first, second):
    seen = []
    config = types.GenerateContentConfig(tools=[tool(seen)])
    chat = google.chats.create(model=MODELS[first], config=config)
    calling(gateway, MODELS[first], ("weather", {"city": "Paris"}), thinking="Well.")
    chat.send_message("How is the weather?")
    other = google.chats.create(model=MODELS[second], config=config, history=chat.get_history())
    calling(gateway, MODELS[second], ("weather", {"city": "Rome"}), thinking="Well.")
    assert other.send_message("And in Rome?").text
    assert seen == ["Paris", "Rome"]
    assert "How is the weather?" in json.dumps(sent(gateway).body)
