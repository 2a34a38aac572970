package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// asAPIError is the package's own error. An answer that it cannot parse is another error.
func asAPIError(t *testing.T, err error) *openai.APIError {
	t.Helper()
	var said *openai.APIError
	if !errors.As(err, &said) {
		t.Fatalf("%T: %v", err, err)
	}
	if said.Message == "" || said.Type == "" {
		t.Errorf("%+v", said)
	}
	// The package reads null as 0.
	if _, text := said.Code.(string); said.Code != nil && said.Code != 0 && !text {
		t.Errorf("the code is no text: %#v", said.Code)
	}
	return said
}

// G2.
func TestErrors(t *testing.T) {
	seen := []struct {
		status, answered int
		code             string
	}{
		{400, 400, ""},
		{401, 502, "upstream_authentication_failed"},
		{403, 502, "upstream_authentication_failed"},
		{404, 404, "model_not_found"},
		{429, 429, "rate_limit_exceeded"},
		{500, 500, ""},
		{503, 503, ""},
	}
	for _, streamed := range []bool{false, true} {
		each(t, func(t *testing.T, up upstream) {
			for _, want := range seen {
				request := hello(up.fault(fmt.Sprintf("fake-error-%d", want.status)))
				var err error
				if streamed {
					_, err = drain(t, request, 20*time.Second)
				} else {
					_, err = client().CreateChatCompletion(within(t, 20*time.Second), request)
				}
				said := asAPIError(t, err)
				equal(t, "status", said.HTTPStatusCode, want.answered)
				if want.code != "" {
					equal(t, "code", fmt.Sprint(said.Code), want.code)
				}
			}
		})
	}
}

func TestErrorsOfTheGateway(t *testing.T) {
	_, err := client().CreateChatCompletion(within(t, 20*time.Second), hello("gpt-99"))
	said := asAPIError(t, err)
	equal(t, "code", fmt.Sprint(said.Code), "model_not_found")
	equal(t, "status", said.HTTPStatusCode, 404)
	if said.Param == nil || *said.Param != "model" {
		t.Errorf("param: %v", said.Param)
	}
}

// G3: an error within a stream has the provider's words, and is not the end of an answer.
func TestErrorsWithinAStream(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		of := values{"content": "one two three", "error_after_chunks": 2, "error": values{
			"message": "The model is overloaded.", "type": "overloaded_error", "code": 503, "status": "UNAVAILABLE",
		}}
		if up.name == "openai" {
			// The error passes through, so it is as OpenAI sends it.
			of["error"] = values{"message": "The model is overloaded.", "type": "server_error", "param": nil, "code": nil}
		}
		script(t, "fake-stream-error", "script", of)
		all, err := drain(t, hello(up.fault("fake-stream-error")), 20*time.Second)
		equal(t, "content", all.text, "one two ")
		equal(t, "finish", all.finish, "")
		if said := asAPIError(t, err); !strings.Contains(said.Message, "The model is overloaded.") {
			t.Errorf("%q", said.Message)
		}
	})
}

// G3: a stream that is cut, between two frames or within one.
func TestCutStreams(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		for _, cut := range []string{"after_chunks", "inside_chunk"} {
			script(t, "fake-cut", "script", values{"content": "one two three four", "cut": values{cut: 2}})
			all, err := drain(t, hello(up.fault("fake-cut")), 20*time.Second)
			asAPIError(t, err)
			if !strings.HasPrefix(all.text, "one") || all.finish != "" {
				t.Errorf("%+v", all)
			}
		}
	})
}

// When a client leaves, the provider's request ends.
func TestLeaving(t *testing.T) {
	each(t, func(t *testing.T, up upstream) {
		script(t, up.model, "endless", values{"every_ms": 20})
		ctx, leave := context.WithCancel(within(t, 20*time.Second))
		defer leave()
		request := hello(up.model)
		request.Stream = true
		stream, err := client().CreateChatCompletionStream(ctx, request)
		must(t, err)
		_, err = stream.Recv()
		must(t, err)
		leave()
		if _, err = stream.Recv(); err == nil {
			for err == nil {
				_, err = stream.Recv()
			}
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%T: %v", err, err)
		}
		stream.Close()
		for limit := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			var journal struct{ Requests []struct{ End *string } }
			must(t, json.Unmarshal(control(t, "GET", "/_fake/journal", nil), &journal))
			if end := journal.Requests[len(journal.Requests)-1].End; end != nil && *end == "client_gone" {
				return
			}
			if time.Now().After(limit) {
				t.Fatalf("the provider's request goes on: %+v", journal)
			}
		}
	})
}
