"""Chat completions with the real `openai` package: whole, streamed, with tools; and the model list."""

import json

import openai
import pytest
from conftest import hello, wait_for

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def says(text, **more):
    return {"fake": {"content": text, **more}}


def test_chat(client, gateway):
    script = says("Bonjour", usage={"prompt_tokens": 12, "completion_tokens": 3, "cached_tokens": 4})
    answer = client.chat.completions.create(model="gpt-4o", messages=hello(), extra_body=script)
    assert answer.choices[0].message.content == "Bonjour"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.object == "chat.completion"
    assert answer.model == "gpt-4o"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (12, 3, 15)
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer._request_id


def test_alias(client, gateway):
    answer = client.chat.completions.create(model="fast", messages=hello())
    assert answer.choices[0].message.content
    assert gateway.provider.requests()[-1]["headers"]
    assert json.loads(gateway.provider.requests()[-1]["body"])["model"] == "gpt-4o-mini"


def test_headers_of_the_package_go_up(gateway):
    client = openai.OpenAI(
        base_url=gateway.base_url, api_key=gateway.key, organization="org-1", project="proj-1", max_retries=0
    )
    with client:
        client.chat.completions.create(model="gpt-4o", messages=hello(), extra_headers={"OpenAI-Beta": "x=v1"})
    headers = dict(gateway.provider.requests()[-1]["headers"])
    assert headers["openai-organization"] == "org-1"
    assert headers["openai-project"] == "proj-1"
    assert headers["openai-beta"] == "x=v1"
    assert gateway.key not in json.dumps(headers)


def test_unknown_parameters_survive(client, gateway):
    client.chat.completions.create(
        model="gpt-4o",
        messages=hello("héllo 🚀"),
        temperature=0.25,
        seed=7,
        response_format={"type": "json_object"},
        extra_body={"vendor_option": {"nested": [1, None, 2.5]}},
    )
    body = json.loads(gateway.provider.requests()[-1]["body"])
    assert body["vendor_option"] == {"nested": [1, None, 2.5]}
    assert (body["temperature"], body["seed"]) == (0.25, 7)
    assert body["messages"] == hello("héllo 🚀")
    assert "stream_options" not in body


@pytest.mark.parametrize("include_usage", [None, False, True])
def test_stream(client, include_usage):
    options = {} if include_usage is None else {"stream_options": {"include_usage": include_usage}}
    script = says("one two three", usage={"prompt_tokens": 12, "completion_tokens": 3})
    stream = client.chat.completions.create(model="gpt-4o", messages=hello(), stream=True, extra_body=script, **options)
    chunks = list(stream)
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "one two three"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    usage = [chunk.usage for chunk in chunks if chunk.usage]
    if include_usage:
        assert [(u.prompt_tokens, u.completion_tokens, u.total_tokens) for u in usage] == [(12, 3, 15)]
        assert chunks[-1].choices == []
    else:
        assert usage == []
        assert all(len(chunk.choices) == 1 for chunk in chunks)


def test_stream_that_is_cut_into_single_bytes(client):
    script = says("naïve 🚀 日本語", split_bytes=1)
    stream = client.chat.completions.create(model="gpt-4o", messages=hello(), stream=True, extra_body=script)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "naïve 🚀 日本語"


def test_stream_helper(client):
    with client.chat.completions.stream(
        model="gpt-4o",
        messages=hello(),
        stream_options={"include_usage": True},
        extra_body=says("one two three", usage={"prompt_tokens": 12, "completion_tokens": 3}),
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == "one two three"
    assert final.choices[0].message.content == "one two three"
    assert final.usage.total_tokens == 15


def test_leaving_a_stream_cancels_it(client, gateway):
    stream = client.chat.completions.create(model="fake-endless", messages=hello(), stream=True)
    for _ in range(3):
        next(stream)
    stream.close()

    def gone():
        requests = gateway.provider.of_model("fake-endless")
        return requests and requests[-1]["end"] == "client_gone"

    wait_for("the provider's request is cancelled", gone, 10)


def test_tools_round_trip(client):
    messages = hello("What is the weather in Paris?")
    first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    message = first.choices[0].message
    (call,) = message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    messages = [*messages, message, {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}]
    second = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content


def test_streamed_tool_calls(client):
    calls = [
        {"name": "weather", "arguments": '{"city":"Paris, 🇫🇷"}'},
        {"name": "time", "arguments": '{"zone":"Europe/Paris"}'},
    ]
    stream = client.chat.completions.create(
        model="gpt-4o", messages=hello(), tools=[WEATHER], stream=True, extra_body={"fake": {"tool_calls": calls}}
    )
    seen, reasons = {}, []
    for chunk in stream:
        choice = chunk.choices[0]
        reasons.append(choice.finish_reason)
        for call in choice.delta.tool_calls or []:
            entry = seen.setdefault(call.index, {"name": "", "arguments": "", "id": None})
            entry["id"] = entry["id"] or call.id
            entry["name"] += call.function.name or ""
            entry["arguments"] += call.function.arguments or ""
    assert [{"name": c["name"], "arguments": c["arguments"]} for c in seen.values()] == calls
    assert len({entry["id"] for entry in seen.values()}) == 2
    assert reasons[-1] == "tool_calls"


def test_streamed_tool_calls_with_the_helper(client):
    with client.chat.completions.stream(model="gpt-4o", messages=hello(), tools=[WEATHER]) as stream:
        final = stream.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}


def test_models(client):
    models = {model.id: model for model in client.models.list()}
    assert {"gpt-4o", "gpt-4o-mini", "fast", "fake-silent"} <= set(models)
    assert all(model.object == "model" and model.owned_by and model.created is not None for model in models.values())


def test_raw_response(client, gateway):
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=hello())
    assert answer.status_code == 200
    assert answer.request_id == answer.headers["x-request-id"]
    assert answer.parse().choices[0].message.content
    assert wait_for("the record is in the ledger", lambda: gateway.records(answer.request_id))
    (record,) = gateway.records(answer.request_id)
    assert (record["outcome"], record["requestedModel"]) == ("success", "gpt-4o")
    other = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=hello())
    assert other.request_id != answer.request_id


def test_streaming_response(client):
    with client.chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=hello(), stream=True, extra_body=says("one two")
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-request-id"]
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
