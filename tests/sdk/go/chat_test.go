package sdk

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

var weather = openai.Tool{
	Type: openai.ToolTypeFunction,
	Function: &openai.FunctionDefinition{
		Name:       "weather",
		Parameters: json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`),
	},
}

var usage = values{"prompt_tokens": 40, "completion_tokens": 30, "cached_tokens": 8, "reasoning_tokens": 12}

// isCounted checks the counts of a script that sets the usage. The package could not have read them if they were no
// integers (G5).
func isCounted(t *testing.T, got openai.Usage) {
	t.Helper()
	equal(t, "prompt tokens", got.PromptTokens, 40)
	equal(t, "completion tokens", got.CompletionTokens, 30)
	equal(t, "total tokens", got.TotalTokens, 70)
	if got.PromptTokensDetails == nil || got.CompletionTokensDetails == nil {
		t.Fatalf("no details: %+v", got)
	}
	equal(t, "cached tokens", got.PromptTokensDetails.CachedTokens, 8)
	equal(t, "reasoning tokens", got.CompletionTokensDetails.ReasoningTokens, 12)
}

// G1, G5.
func TestWhole(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		script(t, up.model, "thinking", values{"text": "Six times seven.", "content": "42, naïve 🚀", "usage": usage})
		answer, err := client().CreateChatCompletion(within(t, 20*time.Second), hello(up.model))
		must(t, err)
		equal(t, "object", answer.Object, "chat.completion")
		equal(t, "model", answer.Model, up.model)
		equal(t, "choices", len(answer.Choices), 1)
		equal(t, "role", answer.Choices[0].Message.Role, openai.ChatMessageRoleAssistant)
		equal(t, "content", answer.Choices[0].Message.Content, "42, naïve 🚀")
		equal(t, "thoughts", answer.Choices[0].Message.ReasoningContent, "Six times seven.")
		equal(t, "finish", answer.Choices[0].FinishReason, openai.FinishReasonStop)
		if answer.ID == "" || answer.Created == 0 {
			t.Errorf("no id or time: %+v", answer)
		}
		isCounted(t, answer.Usage)
		if answer.Header().Get("x-request-id") == "" {
			t.Error("no x-request-id")
		}
	})
}

// G1, G5.
func TestStreamed(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		script(t, up.model, "thinking", values{"text": "Six times seven.", "content": "42, naïve 🚀", "usage": usage})
		request := hello(up.model)
		request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
		all, err := drain(t, request, 20*time.Second)
		must(t, err)
		equal(t, "content", all.text, "42, naïve 🚀")
		equal(t, "thoughts", all.thoughts, "Six times seven.")
		equal(t, "finish", all.finish, openai.FinishReasonStop)
		equal(t, "chunks with usage", len(all.usage), 1)
		isCounted(t, *all.usage[0])
	})
}

func TestStreamedWithoutUsage(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		all, err := drain(t, hello(up.model), 20*time.Second)
		must(t, err)
		equal(t, "chunks with usage", len(all.usage), 0)
		if all.text == "" || all.chunks < 3 {
			t.Errorf("%+v", all)
		}
	})
}

var calls = []values{
	{"name": "weather", "arguments": `{"city":"Zürich","id":12345678901234567890}`},
	{"name": "weather", "arguments": `{"city":"Rome"}`},
}

// areCalled checks the two calls of the script above.
func areCalled(t *testing.T, got []openai.ToolCall) {
	t.Helper()
	if len(got) != 2 {
		t.Fatalf("calls: %+v", got)
	}
	for at, call := range got {
		equal(t, "type", call.Type, openai.ToolTypeFunction)
		equal(t, "name", call.Function.Name, "weather")
		equal(t, "arguments", call.Function.Arguments, calls[at]["arguments"].(string))
	}
	if got[0].ID == "" || got[0].ID == got[1].ID {
		t.Errorf("ids: %q and %q", got[0].ID, got[1].ID)
	}
}

// G1: a loop with the package's own message objects, which keep only the fields that it knows. The provider's
// signatures are not among those.
func TestTools(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		each(t, func(t *testing.T, up upstream) {
			script(t, up.model, "tool_calls", values{"calls": calls})
			script(t, up.model, "tool_calls", values{"calls": calls})
			script(t, up.model, "saying", values{"text": "21 degrees"})
			request := hello(up.model)
			request.Tools = []openai.Tool{weather}
			for round := 0; round < 2; round++ {
				var message openai.ChatCompletionMessage
				if streamed {
					all, err := drain(t, request, 20*time.Second)
					must(t, err)
					equal(t, "finish", all.finish, openai.FinishReasonToolCalls)
					message = openai.ChatCompletionMessage{Role: openai.ChatMessageRoleAssistant, Content: all.text, ToolCalls: all.calls}
				} else {
					answer, err := client().CreateChatCompletion(within(t, 20*time.Second), request)
					must(t, err)
					equal(t, "finish", answer.Choices[0].FinishReason, openai.FinishReasonToolCalls)
					message = answer.Choices[0].Message
				}
				areCalled(t, message.ToolCalls)
				request.Messages = append(request.Messages, message)
				for _, call := range message.ToolCalls {
					result := openai.ChatCompletionMessage{Role: openai.ChatMessageRoleTool, Content: "21 degrees", ToolCallID: call.ID}
					request.Messages = append(request.Messages, result)
				}
			}
			answer, err := client().CreateChatCompletion(within(t, 20*time.Second), request)
			must(t, err)
			equal(t, "content", answer.Choices[0].Message.Content, "21 degrees")
		})
	}
}

func TestStructuredOutput(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		script(t, up.model, "saying", values{"text": `{"number":42}`})
		schema := json.RawMessage(`{"type":"object","properties":{"number":{"type":"integer"}},"required":["number"],"additionalProperties":false}`)
		request := hello(up.model)
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "answer", Schema: schema, Strict: true},
		}
		answer, err := client().CreateChatCompletion(within(t, 20*time.Second), request)
		must(t, err)
		equal(t, "content", answer.Choices[0].Message.Content, `{"number":42}`)
	})
}

func TestImage(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		request := hello(up.model)
		request.Messages = []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, MultiContent: []openai.ChatMessagePart{
			{Type: openai.ChatMessagePartTypeText, Text: "What is this?"},
			{Type: openai.ChatMessagePartTypeImageURL, ImageURL: &openai.ChatMessageImageURL{URL: "data:image/png;base64,iVBORw0KGgo="}},
		}}}
		answer, err := client().CreateChatCompletion(within(t, 20*time.Second), request)
		must(t, err)
		if answer.Choices[0].Message.Content == "" {
			t.Error("no content")
		}
		if journal := control(t, "GET", "/_fake/journal", nil); !strings.Contains(string(journal), "iVBORw0KGgo=") {
			t.Error("the provider has not received the image")
		}
	})
}

// G4 in short: the package gives up after 300 lines without data, so a provider's pings are not passed on as they are.
func TestManyPings(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		if up.name != "anthropic" {
			t.Skip("only Anthropic pings")
		}
		event := func(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }
		events := event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}`) +
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
			strings.Repeat(event("ping", `{"type":"ping"}`), 1000) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"here"}}`) +
			event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}`) +
			event("message_stop", `{"type":"message_stop"}`)
		script(t, up.model, "sse", values{"events": events})
		all, err := drain(t, hello(up.model), 20*time.Second)
		must(t, err)
		equal(t, "content", all.text, "here")
	})
}

// G4 to the letter: the answer comes in two events of Gemini's, with so much silence before each.
func TestSilentForMinutes(t *testing.T) {
	if os.Getenv("SDK_SLOW") == "" {
		t.Skip("takes minutes; SDK_SLOW=1 runs it")
	}
	script(t, "gemini-2.5-flash", "saying", values{"text": "here", "chunk_delay_ms": 200_000})
	all, err := drain(t, hello("gemini-2.5-flash"), 9*time.Minute)
	must(t, err)
	equal(t, "content", all.text, "here")
}
