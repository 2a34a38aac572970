"""Structured output, and tools that are made of models: `parse()`, its stream, and strict schemas (checks P5 and P6 in
`docs/CONFORMANCE.md` section 10)."""

import enum
import json

import openai
import pytest
from conftest import MODELS, Upstream, hello
from openai import pydantic_function_tool
from pydantic import BaseModel, Field
from reading import gathered


class Unit(enum.Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class Place(BaseModel):
    city: str = Field(description="Its name")
    country: str | None = None


class Forecast(BaseModel):
    """The weather to come."""

    place: Place
    unit: Unit
    days: list[int] = Field(min_length=1, max_length=5)
    rain: float = Field(ge=0, le=1)
    note: str | None


class Node(BaseModel):
    name: str
    children: list["Node"]


SAID = {
    "place": {"city": "Zürich", "country": None},
    "unit": "celsius",
    "days": [21, 19],
    "rain": 0.25,
    "note": "bring a coat",
}


# Models beside those of all tests: one that cannot be held to a schema, so that a tool has to stand for it, and one that has no thoughts to sign.
@pytest.fixture(
    params=[*MODELS.items(), ("anthropic", "claude-3-5-haiku"), ("gemini", "gemini-2.5-flash")],
    ids=lambda pair: pair[1],
)
def model(request, gateway):
    name, model = request.param
    return Upstream(name, model, gateway.provider)


def said_by(model, document):
    """Has the model say `document` in the way that it is asked to."""
    if model.model == "claude-3-5-haiku":
        model.says("tool_calls", calls=[{"name": "json_output", "arguments": document}])
    else:
        model.says(content=json.dumps(document))


def test_parse(client, model):
    """P5: the answer is parsed. It is a message and not a call, however the provider was asked for it."""
    said_by(model, SAID)
    answer = client.chat.completions.parse(model=model.model, messages=hello(), response_format=Forecast)
    (choice,) = answer.choices
    assert choice.message.parsed == Forecast.model_validate(SAID)
    assert (choice.finish_reason, choice.message.tool_calls) in [("stop", None), ("stop", [])]


def test_parse_what_the_schema_itself_makes(client, model):
    """The provider has no script and answers by the schema that it received, which therefore holds what matters."""
    answer = client.chat.completions.parse(model=model.model, messages=hello(), response_format=Forecast)
    assert isinstance(answer.choices[0].message.parsed, Forecast)


def test_parse_a_stream(client, model):
    said_by(model, SAID)
    with client.chat.completions.stream(model=model.model, messages=hello(), response_format=Forecast) as stream:
        snapshots = [event.parsed for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == Forecast.model_validate(SAID)
    assert final.choices[0].finish_reason == "stop"
    assert snapshots


def test_parse_a_refusal(client, upstream):
    upstream.says("refusal", text="I will not.")
    if upstream.name != "openai":
        # The package raises on a filtered answer before it looks at the refusal.
        with pytest.raises(openai.ContentFilterFinishReasonError):
            client.chat.completions.parse(model=upstream.model, messages=hello(), response_format=Place)
        return
    answer = client.chat.completions.parse(model=upstream.model, messages=hello(), response_format=Place)
    assert answer.choices[0].message.parsed is None
    assert "I will not." in answer.choices[0].message.refusal


def test_schema_that_refers_to_itself(client, upstream):
    """A keyword is passed on if the provider's schemas have it, and refused by name if they do not."""
    upstream.says(content='{"name":"root","children":[{"name":"leaf","children":[]}]}')
    try:
        answer = client.chat.completions.parse(model=upstream.model, messages=hello(), response_format=Node)
    except openai.BadRequestError as error:
        assert error.param and error.param.startswith("response_format"), error
        return
    assert answer.choices[0].message.parsed.children[0].name == "leaf"


@pytest.mark.parametrize("stream", [False, True])
def test_json_object(client, model, stream):
    """Anthropic has no JSON mode. Models that continue a begun answer are given the brace, and the client gets it back."""
    begun = model.name == "anthropic"
    model.says(content='"answer":42}' if begun else '{"answer":42}')
    messages = hello("Answer in JSON")
    options = {"model": model.model, "response_format": {"type": "json_object"}, "stream": stream}
    answer = client.chat.completions.create(messages=messages, **options)
    text = gathered(answer).text if stream else answer.choices[0].message.content
    assert json.loads(text) == {"answer": 42}
    if begun:
        assert model.received[-1]["messages"][-1]["role"] == "assistant"


def test_schema_beside_tools(client, upstream):
    """There is something to parse only once a tool is called."""
    tool = pydantic_function_tool(Place, name="where")
    upstream.says("tool_calls", calls=[{"name": "where", "arguments": {"city": "Bern", "country": None}}])
    messages = hello()
    options = {"model": upstream.model, "tools": [tool], "response_format": Forecast}
    first = client.chat.completions.parse(messages=messages, **options).choices[0]
    assert (first.finish_reason, first.message.parsed) == ("tool_calls", None)
    (call,) = first.message.tool_calls
    assert call.function.parsed_arguments == Place(city="Bern")
    messages = [*messages, first.message, {"role": "tool", "tool_call_id": call.id, "content": "there"}]
    upstream.says(content=json.dumps(SAID))
    second = client.chat.completions.parse(messages=messages, **options).choices[0]
    assert second.message.parsed == Forecast.model_validate(SAID)


def test_function_tool(client, model):
    """P6: a strict schema with an optional field, a nested object and an enumeration. The provider makes the arguments from it."""
    tool = pydantic_function_tool(Forecast)
    assert tool["function"]["strict"] is True
    answer = client.chat.completions.parse(model=model.model, messages=hello(), tools=[tool])
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "Forecast"
    assert isinstance(call.function.parsed_arguments, Forecast)
    assert answer.choices[0].finish_reason == "tool_calls"


def test_function_tool_in_a_stream(client, model):
    model.says(
        "tool_calls", calls=[{"name": "Forecast", "arguments": SAID}, {"name": "Place", "arguments": SAID["place"]}]
    )
    tools = [pydantic_function_tool(Forecast), pydantic_function_tool(Place)]
    with client.chat.completions.stream(model=model.model, messages=hello(), tools=tools) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    assert [event.parsed_arguments for event in done] == [Forecast.model_validate(SAID), Place(city="Zürich")]
    calls = final.choices[0].message.tool_calls
    assert [call.function.parsed_arguments for call in calls] == [event.parsed_arguments for event in done]


@pytest.mark.parametrize(
    "choice", ["auto", "none", "required", {"type": "function", "function": {"name": "Place"}}], ids=str
)
def test_choice_of_tools(client, upstream, choice):
    tools = [pydantic_function_tool(Forecast), pydantic_function_tool(Place)]
    answer = client.chat.completions.create(model=upstream.model, messages=hello(), tools=tools, tool_choice=choice)
    called = [call.function.name for call in answer.choices[0].message.tool_calls or []]
    assert called == {"auto": ["Forecast"], "none": [], "required": ["Forecast"]}.get(str(choice), ["Place"])


def test_names_that_a_provider_does_not_take(client, upstream):
    """Dots and slashes in names, as tools of MCP servers have them, come back as the client wrote them."""
    name = "files.read/v2"
    tool = {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    answer = client.chat.completions.create(model=upstream.model, messages=hello(), tools=[tool])
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == name
    messages = [*hello(), answer.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "{}"}]
    assert (
        client.chat.completions.create(model=upstream.model, messages=messages, tools=[tool]).choices[0].message.content
    )
