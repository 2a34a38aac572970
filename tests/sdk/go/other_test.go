package sdk

import (
	"math"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

func TestModels(t *testing.T) {
	list, err := client().ListModels(within(t, 20*time.Second))
	must(t, err)
	known := map[string]bool{}
	for _, model := range list.Models {
		known[model.ID] = model.Object == "model" && model.OwnedBy != ""
	}
	for _, up := range upstreams {
		equal(t, up.model, known[up.model], true)
	}
	model, err := client().GetModel(within(t, 20*time.Second), "anthropic/fake-cut")
	must(t, err)
	equal(t, "id", model.ID, "anthropic/fake-cut")
}

// The package reads both encodings, which give the same numbers.
func TestEmbeddings(t *testing.T) {
	for _, name := range []string{"text-embedding-3-small", "gemini-embedding-001"} {
		t.Run(name, func(t *testing.T) {
			vectors := map[openai.EmbeddingEncodingFormat][]openai.Embedding{}
			for _, format := range []openai.EmbeddingEncodingFormat{openai.EmbeddingEncodingFormatFloat, openai.EmbeddingEncodingFormatBase64} {
				request := openai.EmbeddingRequest{Input: []string{"one", "two"}, Model: openai.EmbeddingModel(name), EncodingFormat: format}
				answer, err := client().CreateEmbeddings(within(t, 20*time.Second), request)
				must(t, err)
				equal(t, "vectors", len(answer.Data), 2)
				vectors[format] = answer.Data
			}
			floats, packed := vectors[openai.EmbeddingEncodingFormatFloat], vectors[openai.EmbeddingEncodingFormatBase64]
			for at := range floats {
				equal(t, "index", floats[at].Index, at)
				equal(t, "dimensions", len(floats[at].Embedding), len(packed[at].Embedding))
				for place, number := range floats[at].Embedding {
					if math.Abs(float64(number-packed[at].Embedding[place])) > 1e-6 {
						t.Fatalf("%d: %v and %v", place, number, packed[at].Embedding[place])
					}
				}
			}
		})
	}
}
