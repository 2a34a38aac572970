"""LangChain's agents, three rounds long. LangChain keeps no signatures of thoughts. Models that refuse calls without one, as Gemini 3 does,
and Claude when it thinks, have to get it from the gateway."""

import pytest
from conftest import EVERY_MODEL, THINKERS, calls_in, results_in, steps_in, thinks
from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

CALLS = [("search", {"query": "capital of France"}), ("weather", {"city": "Paris"}), ("weather", {"city": "Rome"})]
RESULTS = ["Paris, of course", "sun in Paris", "sun in Rome"]


@tool
def search(query: str) -> str:
    """Searches."""
    return "Paris, of course"


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sun in {city}"


@pytest.fixture
def agent(gateway, provider):
    def make(model, **options):
        """An agent whose model calls a tool, then two at once, and then answers."""
        provider.calls(model, CALLS[0])
        provider.calls(model, *CALLS[1:])
        provider.says(model, "There is sun in both.")
        settings = {"max_retries": 0, "timeout": 20, "stream_usage": True} | options
        chat = ChatOpenAI(model=model, base_url=gateway.base_url, api_key=gateway.key, **settings)
        return create_agent(chat, [search, weather], system_prompt="You know the weather.")

    return make


def run(agent, streams):
    question = {"messages": [{"role": "user", "content": "Is there sun in the capital of France, and in Rome?"}]}
    if not streams:
        return agent.invoke(question)["messages"]
    for kind, state in agent.stream(question, stream_mode=["messages", "values"]):
        if kind == "values":
            messages = state["messages"]
    return messages


def check(messages, provider):
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai", "tool", "tool", "ai"]
    assert messages[-1].content == "There is sun in both."
    bodies = provider.bodies()
    assert [len(results_in(body)) for body in bodies] == [0, 1, 3]
    assert results_in(bodies[2]) == RESULTS
    assert calls_in(bodies[2]) == CALLS
    assert "You know the weather." in str(bodies[2])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_l4_three_rounds(agent, provider, model, streams):
    check(run(agent(model), streams), provider)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", THINKERS)
def test_l4_three_rounds_of_a_model_that_thinks(agent, provider, model, streams):
    check(run(agent(model, reasoning_effort="medium"), streams), provider)
    assert thinks(provider.bodies()[0])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("model", THINKERS)
def test_l4_what_the_model_signed_comes_back_to_it(agent, provider, model, streams):
    """The model goes on thinking from its own thoughts: thinking is not switched off, and the thoughts are not replaced."""
    check(run(agent(model, reasoning_effort="medium"), streams), provider)
    bodies = provider.bodies()
    assert [thinks(body) for body in bodies] == [True, True, True]
    assert [steps_in(body) for body in bodies] == [[], [True], [True, True]]


@pytest.mark.parametrize("streams", [False, True])
def test_l4_gemini_3_gets_its_signatures_without_being_asked_to_think(agent, provider, streams):
    check(run(agent("gemini-3-flash-preview"), streams), provider)
    assert [steps_in(body) for body in provider.bodies()] == [[], [True], [True, True]]
