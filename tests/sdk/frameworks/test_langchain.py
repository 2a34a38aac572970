"""LangChain's ChatOpenAI and OpenAIEmbeddings: counts of tokens, tools, structured output, token ids."""

import asyncio
from typing import Literal

import openai
import pytest
from conftest import EVERY_MODEL, MODELS, USAGE, calls_in, format_of, results_in
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

COUNTED = {
    "input_tokens": 12,
    "output_tokens": 5,
    "total_tokens": 17,
    "cache_read": 4,
    "reasoning": 2,
}


@tool
def weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{days} days of sun in {city}"


@tool
def now() -> str:
    """The time."""
    return "noon"


class Address(BaseModel):
    city: str
    postcode: str | None = Field(default=None, description="Where it is known.")


class Person(BaseModel):
    """A person."""

    name: str = Field(min_length=1, max_length=40)
    age: int = Field(ge=0, le=150)
    kind: Literal["friend", "foe"]
    addresses: list[Address]


ADA = '{"name":"Ada","age":36,"kind":"friend","addresses":[{"city":"London","postcode":null}]}'


@pytest.fixture
def chat(gateway):
    def make(model, **options):
        settings = {"max_retries": 0, "timeout": 20, "stream_usage": True} | options
        return ChatOpenAI(model=model, base_url=gateway.base_url, api_key=gateway.key, **settings)

    return make


def counted(message):
    usage = message.usage_metadata
    return {
        "input_tokens": usage["input_tokens"],
        "output_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "cache_read": usage["input_token_details"]["cache_read"],
        "reasoning": usage["output_token_details"]["reasoning"],
    }


def joined(chunks):
    """A stream as one message, as LangChain adds its chunks up."""
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    assert isinstance(whole, AIMessageChunk)
    return whole


def ask(model, question, streams):
    return joined(model.stream(question)) if streams else model.invoke(question)


# L1


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l1_usage_is_counted_once(chat, provider, model, streams):
    provider.says(model, "one two three", usage=USAGE)
    answer = ask(chat(model), "Hello", streams)
    assert answer.content == "one two three"
    assert counted(answer) == COUNTED
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == model


@pytest.mark.parametrize("model", MODELS)
def test_l1_usage_is_not_sent_unasked(chat, provider, model):
    provider.says(model, "one two three", usage=USAGE)
    answer = joined(chat(model, stream_usage=False).stream("Hello"))
    assert (answer.content, answer.usage_metadata) == ("one two three", None)


def test_l1_usage_of_streams_at_once(chat, provider):
    async def read(model):
        return joined([chunk async for chunk in model.astream("Hello")])

    # All in one event loop: LangChain's clients share connections.
    async def read_all():
        return await asyncio.gather(*(read(chat(model)) for model in MODELS * 4))

    for model in MODELS * 4:
        provider.says(model, f"from {model}", usage=USAGE)
    answers = asyncio.run(read_all())
    assert [(answer.content, counted(answer)) for answer in answers] == [(f"from {m}", COUNTED) for m in MODELS * 4]


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", MODELS)
def test_l1_an_answer_that_is_cut_short_says_so(chat, provider, model, streams):
    provider.says(model, "one two", finish="length")
    assert ask(chat(model, max_tokens=2), "Hello", streams).response_metadata["finish_reason"] == "length"


@pytest.mark.parametrize("model", MODELS)
def test_l1_an_image_arrives(chat, provider, model):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    chat(model).invoke([HumanMessage([{"type": "text", "text": "What is it?"}, image])])
    assert "iVBORw0KGgo=" in str(provider.last())
    assert "image/png" in str(provider.last())


# L2


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l2_parallel_calls_and_their_results(chat, provider, model, streams):
    wanted = [("weather", {"city": "Köln 🌦", "days": 2}), ("now", {}), ("weather", {"city": "Rome", "days": 3})]
    provider.calls(model, *wanted)
    provider.says(model, "It is noon, and sunny.")
    with_tools = chat(model).bind_tools([weather, now])

    messages = [HumanMessage("How is it there?")]
    first = ask(with_tools, messages, streams)
    assert [(call["name"], call["args"]) for call in first.tool_calls] == wanted
    assert first.invalid_tool_calls == []
    assert len({call["id"] for call in first.tool_calls}) == 3
    assert first.response_metadata["finish_reason"] == "tool_calls"

    tools = {"weather": weather, "now": now}
    results = [tools[call["name"]].invoke(call) for call in first.tool_calls]
    second = ask(with_tools, [*messages, first, *results], streams)
    assert (second.content, second.tool_calls) == ("It is noon, and sunny.", [])
    assert calls_in(provider.last()) == wanted
    assert results_in(provider.last()) == ["2 days of sun in Köln 🌦", "noon", "3 days of sun in Rome"]


@pytest.mark.parametrize("model", MODELS)
def test_l2_results_of_one_turn_are_one_message_where_the_vendor_wants_that(chat, provider, model):
    provider.calls(model, ("weather", {"city": "Paris"}), ("weather", {"city": "Rome"}))
    with_tools = chat(model).bind_tools([weather])
    first = with_tools.invoke("How is it there?")
    results = [weather.invoke(call) for call in first.tool_calls]
    with_tools.invoke([HumanMessage("How is it there?"), first, *results, HumanMessage("And?")])
    body = provider.last()
    if format_of(model) == "anthropic":
        kinds = [part["type"] for part in body["messages"][2]["content"]]
        assert kinds[:2] == ["tool_result", "tool_result"]
    if format_of(model) == "gemini":
        assert [list(part) for part in body["contents"][2]["parts"]] == [["functionResponse"]] * 2


@pytest.mark.parametrize("choice", ["any", "weather", "none"])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l2_tool_choice(chat, provider, model, choice):
    answer = chat(model).bind_tools([now, weather], tool_choice=choice).invoke("Hello")
    body = provider.last()
    sent = body.get("tool_choice") or body["toolConfig"]["functionCallingConfig"]
    name = {"any": "now", "weather": "weather", "none": None}[choice]
    assert [call["name"] for call in answer.tool_calls] == ([name] if name else [])
    if choice == "weather":
        assert "weather" in str(sent)
    elif choice == "any":
        assert str(sent.get("type", sent.get("mode")) if isinstance(sent, dict) else sent) in ("required", "any", "ANY")
    assert body["tools"]


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l2_one_call_at_a_time(chat, provider, model):
    with_tools = chat(model).bind_tools([weather, now], parallel_tool_calls=False)
    with_tools.invoke("Hello")
    body = provider.last()
    if format_of(model) == "anthropic":
        assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    elif format_of(model) != "gemini":
        assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l2_numbers_of_arguments_keep_their_digits(chat, provider, model):
    provider.calls(model, ("weather", '{"city":"Paris","days":12345678901234567890}'))
    (call,) = joined(chat(model).bind_tools([weather]).stream("Hello")).tool_calls
    assert call["args"] == {"city": "Paris", "days": 12345678901234567890}


# L3


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l3_structured_output(chat, provider, model, method):
    asker = chat(model).with_structured_output(Person, method=method, include_raw=True)
    if method == "function_calling":
        provider.calls(model, ("Person", ADA), usage=USAGE)
    elif method == "json_schema" and model == "claude-3-5-haiku":
        # This model cannot be held to a schema, so the gateway has it call a tool.
        provider.calls(model, ("json_output", ADA), usage=USAGE)
    else:
        continued = method == "json_mode" and model in ("claude-3-5-haiku", "claude-sonnet-4-5")
        provider.says(model, ADA.removeprefix("{") if continued else ADA, usage=USAGE)
    answer = asker.invoke("Who was Ada Lovelace? Answer in JSON.")
    assert answer["parsing_error"] is None
    assert answer["parsed"] == Person.model_validate_json(ADA)
    assert counted(answer["raw"]) == COUNTED
    assert answer["raw"].invalid_tool_calls == []


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l3_the_model_is_told_the_schema(chat, provider, model, method):
    """The provider answers by the schema that it gets, and refuses a schema that its vendor would refuse."""
    parsed = chat(model).with_structured_output(Person, method=method).invoke("Who was Ada Lovelace?")
    assert (type(parsed), parsed.kind, parsed.name) == (Person, "friend", "Paris")


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l3_structured_output_as_it_comes(chat, provider, model):
    """LangChain parses the part of a streamed JSON document that has come, again and again."""
    parts = list(chat(model).with_structured_output(Person, method="json_schema").stream("Who was Ada Lovelace?"))
    assert type(parts[-1]) is Person
    assert parts[-1].name == "Paris"


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l3_a_strict_tool(chat, provider, model):
    asker = chat(model).with_structured_output(Person, method="function_calling", strict=True)
    assert type(asker.invoke("Who was Ada Lovelace?")) is Person


@pytest.mark.parametrize("model", MODELS)
def test_l3_a_refusal_is_told_apart(chat, provider, model):
    provider.plays(model, "refusal", text="I will not do that.")
    answer = chat(model).invoke("Who was Ada Lovelace?")
    if format_of(model) in ("anthropic", "gemini"):
        assert answer.response_metadata["finish_reason"] == "content_filter"
    assert answer.additional_kwargs["refusal"]


# L5


@pytest.fixture
def embeddings(gateway):
    def make(model, **options):
        settings = {"max_retries": 0, "timeout": 20} | options
        return OpenAIEmbeddings(model=model, base_url=gateway.base_url, api_key=gateway.key, **settings)

    return make


@pytest.mark.parametrize("model", ["text-embedding-3-small", "gemini-embedding-001"])
def test_l5_embeddings_of_texts(embeddings, model):
    embedder = embeddings(model, check_embedding_ctx_length=False)
    first, second, again = embedder.embed_documents(["one", "two", "one"])
    assert first == again != second
    assert abs(sum(value * value for value in first) - 1) < 1e-3
    assert embedder.embed_query("two") == second


def test_l5_token_ids_go_to_who_knows_them(embeddings, token_ids):
    vectors = embeddings("text-embedding-3-small").embed_documents(["one", "two"])
    assert [len(vector) for vector in vectors] == [1536, 1536]


def test_l5_token_ids_are_refused_by_name_where_nobody_knows_them(embeddings, token_ids):
    with pytest.raises(openai.BadRequestError) as caught:
        embeddings("gemini-embedding-001").embed_documents(["one", "two"])
    assert caught.value.param == "input"
    assert "token" in caught.value.message
    assert caught.value.type == "invalid_request_error"
