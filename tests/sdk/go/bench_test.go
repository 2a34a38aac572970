// Package sdk tests the gateway with the go-openai package, which reads into typed fields. A number that is no integer,
// or an object in the place of a text, is an error for it. G1 to G5 are checks in `docs/CONFORMANCE.md` section 10.
//
// `python3 ../planes.py go test ./...` starts the gateway and the fake provider that the tests need. With SDK_SLOW=1 the test of a provider that is silent for minutes runs too.
package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// upstream is an API behind the gateway, with a model that it serves.
type upstream struct{ name, model string }

var upstreams = []upstream{
	{"openai", "gpt-4o"},
	{"responses", "gpt-4.1"},
	{"anthropic", "claude-sonnet-4-5"},
	{"gemini", "gemini-3-flash-preview"},
}

// fault is the model of this API that has this fault.
func (up upstream) fault(name string) string { return up.name + "/" + name }

// values are those of a script of the fake provider.
type values map[string]any

func TestMain(m *testing.M) {
	for _, name := range []string{"GATEWAY_URL", "GATEWAY_KEY", "PROVIDER_URL"} {
		if os.Getenv(name) == "" {
			println("missing: " + name + "; run these tests by tests/sdk/planes.py")
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// each runs a test for every API behind the gateway, with a provider that has forgotten earlier tests.
func each(t *testing.T, test func(t *testing.T, up upstream)) {
	t.Helper()
	for _, up := range upstreams {
		t.Run(up.name, func(t *testing.T) {
			control(t, http.MethodDelete, "/_fake/script", nil)
			control(t, http.MethodDelete, "/_fake/journal", nil)
			test(t, up)
		})
	}
}

func client() *openai.Client {
	config := openai.DefaultConfig(os.Getenv("GATEWAY_KEY"))
	config.BaseURL = os.Getenv("GATEWAY_URL") + "/v1"
	return openai.NewClientWithConfig(config)
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// control calls a control route of the fake provider, and returns its answer.
func control(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	encoded, err := json.Marshal(body)
	must(t, err)
	request, err := http.NewRequestWithContext(within(t, 10*time.Second), method, os.Getenv("PROVIDER_URL")+path, bytes.NewReader(encoded))
	must(t, err)
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return text
}

// script has the next request for model answered by this script.
func script(t *testing.T, model, kind string, of values) {
	t.Helper()
	target := map[string]string{"model": model}
	control(t, http.MethodPost, "/_fake/script", values{"target": target, "kind": kind, "values": of})
}

func hello(model string) openai.ChatCompletionRequest {
	messages := []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleUser, Content: "Hello"}}
	return openai.ChatCompletionRequest{Model: model, Messages: messages}
}

// gathered is a stream, added up as the package's examples do.
type gathered struct {
	text, thoughts string
	calls          []openai.ToolCall
	finish         openai.FinishReason
	usage          []*openai.Usage
	chunks         int
}

// drain reads a stream to its end. The error is that of the package, and nil if the stream ends well.
func drain(t *testing.T, request openai.ChatCompletionRequest, limit time.Duration) (gathered, error) {
	t.Helper()
	request.Stream = true
	stream, err := client().CreateChatCompletionStream(within(t, limit), request)
	if err != nil {
		return gathered{}, err
	}
	defer stream.Close()
	var all gathered
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all.chunks++
		if chunk.Usage != nil {
			all.usage = append(all.usage, chunk.Usage)
		}
		for _, choice := range chunk.Choices {
			all.text += choice.Delta.Content
			all.thoughts += choice.Delta.ReasoningContent
			for _, call := range choice.Delta.ToolCalls {
				if call.Index == nil {
					t.Fatalf("a call without an index: %+v", call)
				}
				for len(all.calls) <= *call.Index {
					all.calls = append(all.calls, openai.ToolCall{})
				}
				made := &all.calls[*call.Index]
				made.ID += call.ID
				made.Type += call.Type
				made.Function.Name += call.Function.Name
				made.Function.Arguments += call.Function.Arguments
			}
			if choice.FinishReason != "" {
				all.finish += choice.FinishReason
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}
