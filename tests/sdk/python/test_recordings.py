"""Recorded answers of the providers, given by the fake provider as they were, through the gateway to the package
(checks X2 and X3 in `docs/CONFORMANCE.md` section 10).

The recordings are not part of the repository: `WIRE_RECORDINGS` names the folder that holds them, and without it the
tests here are skipped. Left out by name are recordings of what no chat completion asks for: counts of tokens and
embeddings.
"""

import json
import os
from pathlib import Path

import openai
import pytest
from conftest import add_groups, hello
from reading import Gathered, choice_of, counts, without_nothing

ROOT = Path(os.environ["WIRE_RECORDINGS"]) if os.environ.get("WIRE_RECORDINGS") else None
FOLDERS = {
    "openai-chat": "openai",
    "openai-responses": "openai_responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
}
OTHER_APIS = ("count_tokens", "embed_")
FINISHES = {"stop", "length", "tool_calls", "content_filter", "function_call"}
CLASSES = {400: openai.BadRequestError, 404: openai.NotFoundError, 429: openai.RateLimitError}

if ROOT is None:
    pytest.skip("WIRE_RECORDINGS names no folder of recordings", allow_module_level=True)


class Recording:
    """An exchange, and the model that stands for it. Each has a group of its own, so that no error harms the key of another."""

    def __init__(self, folder, path):
        self.folder, self.path = folder, path
        self.model = f"{folder}/{path.stem}"
        self.upstream_model = f"recorded-{folder}-{path.stem}"
        self.response = json.loads(path.read_text())["response"]
        self.status = self.response["status"]

        self.streamed = "sse" in self.response

    @property
    def text(self):
        return json.dumps(self.response.get("body") or self.response.get("sse"))


def recordings():
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.json")):
            if not path.name.startswith(OTHER_APIS):
                yield Recording(folder, path)


ALL = list(recordings())
ANSWERS = [recording for recording in ALL if recording.status == 200]
ERRORS = [recording for recording in ALL if recording.status != 200]
# Chat completions pass through, so they have to be asked for in the form in which they were recorded.
PASSED = [recording for recording in ANSWERS if recording.folder == "openai-chat"]
CONVERTED = [recording for recording in ANSWERS if recording.folder != "openai-chat"]


def name_of(recording):
    return recording.model


@pytest.fixture(scope="module", autouse=True)
def groups(gateway):
    """One group for the answers of each provider, and one for each error."""
    made = []
    for folder, vendor in FOLDERS.items():
        answers = {each.model: each.upstream_model for each in ANSWERS if each.folder == folder}
        made.append((f"recorded-{folder}", vendor, answers))
    made += [(each.upstream_model, FOLDERS[each.folder], {each.model: each.upstream_model}) for each in ERRORS]
    add_groups(gateway, made)


def ask(client, gateway, recording, stream, **options):
    gateway.provider.script("recording", {"model": recording.upstream_model}, recording=str(recording.path), seed=1)
    return client.chat.completions.create(model=recording.model, messages=hello(), stream=stream, **options)


def is_sane(choice, message):
    """Checks that the application gets something: text, a call, a refusal, or a reason why not."""
    # An old model had `finish_details` in its place.
    assert choice.finish_reason in FINISHES or "finish_details" in choice.model_extra, choice
    for call in message.tool_calls or []:
        assert call.id
        if call.type == "function":
            assert call.function.name and isinstance(json.loads(call.function.arguments), dict)
    if message.tool_calls:
        assert choice.finish_reason in ("tool_calls", "length", "stop")
    for annotation in message.annotations or []:
        cited = annotation.url_citation
        assert annotation.type == "url_citation" and cited.url
        assert 0 <= cited.start_index <= cited.end_index <= len(message.content)


def whole(client, gateway, recording):
    answer = ask(client, gateway, recording, False)
    assert answer.object == "chat.completion" and answer.id and answer.model and type(answer.created) is int
    assert answer.choices
    for choice in answer.choices:
        assert choice.message.role == "assistant"
        is_sane(choice, choice.message)
    assert answer.usage is None or counts(answer.usage)
    return answer


@pytest.mark.parametrize("recording", [each for each in PASSED if not each.streamed], ids=name_of)
def test_passed_on(client, gateway, recording):
    whole(client, gateway, recording)


@pytest.mark.parametrize("recording", [each for each in PASSED if each.streamed], ids=name_of)
def test_streams_passed_on(client, gateway, recording):
    chunks = list(ask(client, gateway, recording, True, stream_options={"include_usage": True}))
    # Several choices would be added up to one.
    for index in {choice.index for chunk in chunks for choice in chunk.choices}:
        said = Gathered()
        for chunk in chunks:
            own = [choice for choice in chunk.choices if choice.index == index]
            said.add(chunk.model_copy(update={"choices": own}))
        assert said.read()["finish"] in FINISHES


@pytest.mark.parametrize("recording", CONVERTED, ids=name_of)
def test_converted(client, gateway, recording):
    """The answer comes whole and as a stream, whichever was recorded, and both say the same."""
    answer = whole(client, gateway, recording)
    said = without_nothing(choice_of(answer.choices[0]))
    chunks = list(ask(client, gateway, recording, True, stream_options={"include_usage": True}))
    if "custom_tool" in recording.path.name:
        return  # The package has no words for calls of such tools in a stream.
    streamed = Gathered()
    for chunk in chunks:
        streamed.add(chunk)
    assert streamed.read() == said
    assert [counts(usage) for usage in streamed.usage] == [counts(answer.usage)] or not any(
        counts(answer.usage).values()
    )


@pytest.mark.parametrize("recording", CONVERTED, ids=name_of)
def test_helper(client, gateway, recording):
    """The helper checks more: the shape of each chunk, the place of each call, and that lists add up."""
    if "custom_tool" in recording.path.name:
        pytest.skip("the package's helper cannot hold calls of custom tools, of OpenAI's own API neither")
    gateway.provider.script("recording", {"model": recording.upstream_model}, recording=str(recording.path), seed=2)
    with client.chat.completions.stream(model=recording.model, messages=hello()) as stream:
        try:
            final = stream.get_final_completion()
        except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
            return
    is_sane(final.choices[0], final.choices[0].message)
    annotations = final.choices[0].message.annotations or []
    assert len({annotation.url_citation.start_index for annotation in annotations}) <= len(annotations)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("recording", ERRORS, ids=name_of)
def test_errors(client, gateway, recording, stream):
    """X3: an error has the right class and the provider's words, except for errors about the gateway's own key."""
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, gateway, recording, stream)
    error = caught.value
    own_key = recording.status in (401, 403) or "API_KEY_INVALID" in recording.text
    kind = openai.InternalServerError if own_key else CLASSES[recording.status]
    assert type(error) is kind, (error, recording.text)
    assert error.body["message"] and error.type
    assert isinstance(error.code, str | None)
    if own_key:
        assert (error.status_code, error.code) == (502, "upstream_authentication_failed")


@pytest.mark.parametrize("recording", [each for each in CONVERTED if each.folder != "openai-responses"], ids=name_of)
def test_as_responses(client, gateway, recording):
    """The same through the Responses API as a stream, whose helper checks the order of events."""
    gateway.provider.script("recording", {"model": recording.upstream_model}, recording=str(recording.path), seed=3)
    with client.responses.stream(model=recording.model, input="Hello") as stream:
        kinds = [event.type for event in stream]
    assert kinds[0] == "response.created"
    assert kinds[-1] in ("response.completed", "response.incomplete")
