"""The headers of answers: ids, limits, and the fields that the provider has no words for (check P15 in
`docs/CONFORMANCE.md` section 10)."""

from conftest import MODELS, Upstream, hello, wait_for


def raw(client, model, **options):
    return client.chat.completions.with_raw_response.create(model=model, messages=hello(), **options)


def dropped(answer):
    return set(filter(None, answer.headers.get("x-orchestration-dropped", "").split(",")))


def test_request_id(client, gateway, upstream):
    answer = raw(client, upstream.model)
    assert answer.request_id == answer.headers["x-request-id"] == answer.parse()._request_id
    (record,) = wait_for("the record is in the ledger", lambda: gateway.records(answer.request_id))
    assert (record["outcome"], record["requestedModel"]) == ("success", upstream.model)


def test_limits_of_the_provider(client, upstream):
    """OpenAI's own headers come under their own names. For other providers nothing is made up."""
    answer = raw(client, upstream.model)
    limits = [name for name in answer.headers if name.startswith("x-ratelimit-")]
    if upstream.name in ("openai", "responses"):
        assert answer.headers["x-ratelimit-remaining-requests"].isdigit()
        assert len(limits) == 6
    else:
        assert all(answer.headers[name] for name in limits)


def test_nothing_of_the_provider_that_is_not_for_clients(client, upstream):
    upstream.says(headers=[["set-cookie", "session=1"], ["openai-organization", "the-operators"], ["server", "theirs"]])
    headers = raw(client, upstream.model).headers
    assert "set-cookie" not in headers
    assert "the-operators" not in headers.values()


def test_what_is_dropped_is_named(client, gateway):
    """The answer names, in the client's words, the tuning that the provider does not have, streamed or not."""
    upstream = Upstream("anthropic", MODELS["anthropic"], gateway.provider)
    options = {"seed": 7, "logit_bias": {"5": 1}, "presence_penalty": 0.5, "frequency_penalty": 0.5}
    names = {"seed", "logit_bias", "presence_penalty", "frequency_penalty"}
    for stream in (False, True):
        answer = raw(client, upstream.model, stream=stream, **options)
        assert dropped(answer) >= names
        if stream:
            answer.parse().close()
    assert not names & set(upstream.received[-1])


def test_what_is_taken_is_not_named(client, upstream):
    options = {"temperature": 0.5, "max_completion_tokens": 2000, "stop": None, "user": "u-1", "n": 1}
    if upstream.name == "gemini":
        del options["user"]
    assert dropped(raw(client, upstream.model, **options)) == set()


def test_gemini_takes_a_seed(client, gateway):
    upstream = Upstream("gemini", MODELS["gemini"], gateway.provider)
    assert dropped(raw(client, upstream.model, seed=7)) == set()
    assert upstream.received[-1]["generationConfig"]["seed"] == 7


def test_errors_have_an_id_too(client):
    from openai import NotFoundError

    try:
        raw(client, "gpt-99")
    except NotFoundError as error:
        assert error.request_id == error.response.headers["x-request-id"]
    else:
        raise AssertionError("there is no such model")


def test_streamed(client, upstream):
    with client.chat.completions.with_streaming_response.create(
        model=upstream.model, messages=hello(), stream=True
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-request-id"]
        assert "content-length" not in answer.headers and "content-encoding" not in answer.headers
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith(("data: ", ":")) for line in lines)
    assert lines[-1] == "data: [DONE]"
