"""What the package reads, in a form that can be compared: without ids and times, which differ from answer to answer."""

import json


def counts(usage):
    """The tokens of a usage object, each of which is an integer."""
    inner, outer = usage.prompt_tokens_details, usage.completion_tokens_details
    counted = {
        "prompt": usage.prompt_tokens,
        "completion": usage.completion_tokens,
        "total": usage.total_tokens,
        "cached": inner.cached_tokens if inner else 0,
        "reasoning": outer.reasoning_tokens if outer else 0,
    }
    assert all(type(count) is int for count in counted.values()), counted
    assert counted["total"] == counted["prompt"] + counted["completion"], counted
    return counted


def choice_of(choice):
    """What one choice of a completion says."""
    message = choice.message
    assert message.role == "assistant"
    calls = [call for call in message.tool_calls or [] if call.type == "function"]
    assert all(call.id for call in message.tool_calls or []), message.tool_calls
    return {
        "content": message.content,
        "refusal": message.refusal,
        "thoughts": getattr(message, "reasoning_content", None),
        "calls": [(call.function.name, json.loads(call.function.arguments)) for call in calls],
        "finish": choice.finish_reason,
    }


def read(completion):
    """What a completion says, and its usage."""
    assert completion.id and completion.model and completion.object in ("chat.completion", "chat.completion.chunk")
    assert type(completion.created) is int
    assert [choice.index for choice in completion.choices] == list(range(len(completion.choices)))
    return choice_of(completion.choices[0]) | {"usage": counts(completion.usage)}


class Gathered:
    """A stream as the examples of the vendor read it: text and arguments are added up, calls are told apart by their index."""

    def __init__(self):
        self.text = self.thoughts = self.refusal = ""
        self.calls, self.finish, self.usage, self.chunks = {}, [], [], []

    def add(self, chunk):
        self.chunks.append(chunk)
        assert chunk.object == "chat.completion.chunk" and chunk.model and type(chunk.created) is int, chunk
        if chunk.usage:
            self.usage.append(chunk.usage)
        for choice in chunk.choices:
            delta = choice.delta
            self.text += delta.content or ""
            self.refusal += delta.refusal or ""
            self.thoughts += getattr(delta, "reasoning_content", None) or ""
            for call in delta.tool_calls or []:
                made = self.calls.setdefault(call.index, {"id": "", "type": "", "name": "", "arguments": ""})
                made["id"] += call.id or ""
                made["type"] += call.type or ""
                made["name"] += call.function.name or ""
                made["arguments"] += call.function.arguments or ""
            if choice.finish_reason:
                self.finish.append(choice.finish_reason)

    def read(self):
        """The same as `read` gives for a completion, except that a stream cannot say that something is empty."""
        assert len({chunk.id for chunk in self.chunks}) == 1, "the id is one for all chunks"
        assert len(self.finish) == 1, self.finish
        # The indices are dense from 0, and everything but the arguments comes once.
        assert list(self.calls) == list(range(len(self.calls)))
        assert all(call["type"] == "function" and call["id"] for call in self.calls.values()), self.calls
        assert len({call["id"] for call in self.calls.values()}) == len(self.calls)
        return {
            "content": self.text,
            "refusal": self.refusal,
            "thoughts": self.thoughts,
            "calls": [(call["name"], json.loads(call["arguments"])) for call in self.calls.values()],
            "finish": self.finish[0],
        }


def gathered(stream):
    """Reads a stream to its end."""
    whole = Gathered()
    for chunk in stream:
        whole.add(chunk)
    return whole


def without_nothing(said):
    """The reading with the empty text in place of nothing, so that a completion can be compared with a stream."""
    return {name: "" if value is None else value for name, value in said.items() if name != "usage"}
