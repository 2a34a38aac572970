"""Images and files in messages reach each provider in its own form, or are refused by name."""

import base64
import json

import openai
import pytest
from conftest import MODELS, Upstream

PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(64))).decode()
SOUND = base64.b64encode(b"RIFF" + bytes(32)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n").decode()


def image(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def send(client, upstream, part):
    """Sends a message with `part`, and gives what the provider received in its place."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]
    assert client.chat.completions.create(model=upstream.model, messages=messages).choices[0].message.content
    body = upstream.received[-1]
    turn = (body.get("messages") or body.get("input") or body["contents"])[0]
    text, sent = turn.get("content") or turn["parts"]
    assert text["text"] == "What is this?"
    return sent


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"data:image/png;base64,{PIXEL}", "image/png"),
        (f"data:image/jpg;charset=utf-8;base64,{PIXEL}", "image/jpeg"),
        (f"data:image/webp;base64,{PIXEL}", "image/webp"),
    ],
    ids=["png", "jpg", "webp"],
)
def test_image_by_data_url(client, upstream, url, kind):
    sent = send(client, upstream, image(url))
    normal = f"data:{kind};base64,{PIXEL}"
    if upstream.name == "openai":
        assert sent == image(url)
    elif upstream.name == "responses":
        assert (sent["type"], sent["image_url"]) == ("input_image", normal)
    elif upstream.name == "anthropic":
        assert sent == {"type": "image", "source": {"type": "base64", "media_type": kind, "data": PIXEL}}
    else:
        assert sent == {"inlineData": {"mimeType": kind, "data": PIXEL}}


def test_image_by_url(client, upstream):
    """A URL is left to a provider that fetches it. For other providers the gateway fetches it, and says when it cannot."""
    url = "https://images.invalid/cat.png?size=large"
    if upstream.name != "gemini":
        assert url in json.dumps(send(client, upstream, image(url, detail="low")))
        return
    with pytest.raises(openai.BadRequestError) as caught:
        send(client, upstream, image(url))
    assert caught.value.param.startswith("messages[0].content[1]")
    assert upstream.received == []


def test_image_of_a_kind_that_the_provider_does_not_take(client, gateway):
    upstream = Upstream("anthropic", MODELS["anthropic"], gateway.provider)
    with pytest.raises(openai.BadRequestError) as caught:
        send(client, upstream, image("data:image/bmp;base64,Qk0="))
    assert (caught.value.code, caught.value.param) == ("invalid_image_format", "messages[0].content[1]")
    assert upstream.received == []


@pytest.mark.parametrize("data", [f"data:application/pdf;base64,{PDF}", PDF], ids=["data url", "bare"])
def test_pdf(client, upstream, data):
    sent = json.dumps(send(client, upstream, {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}))
    assert PDF in sent
    assert upstream.name == "openai" or "application/pdf" in sent


def test_sound(client, upstream):
    part = {"type": "input_audio", "input_audio": {"data": SOUND, "format": "wav"}}
    if upstream.name != "anthropic":
        assert SOUND in json.dumps(send(client, upstream, part))
        return
    with pytest.raises(openai.BadRequestError) as caught:
        send(client, upstream, part)
    assert caught.value.param == "messages[0].content[1]"
    assert upstream.received == []


def test_image_in_a_tools_result(client, upstream):
    """Officially, chat completions has no images in results of tools. A client that sends them wants them to be seen."""
    tool = {"type": "function", "function": {"name": "camera", "parameters": {"type": "object", "properties": {}}}}
    messages = [{"role": "user", "content": "Take a picture"}]
    options = {"model": upstream.model, "tools": [tool]}
    message = client.chat.completions.create(messages=messages, **options).choices[0].message
    content = [{"type": "text", "text": "Here:"}, image(f"data:image/png;base64,{PIXEL}")]
    messages += [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": content}]
    assert client.chat.completions.create(messages=messages, **options).choices[0].message.content
    assert PIXEL in json.dumps(upstream.received[-1])
