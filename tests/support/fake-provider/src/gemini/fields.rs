//! The fields that each message of the API has, by their names in JSON. The API refuses all others.
//!
//! From ai.google.dev/api/generate-content, /caching and /embeddings.

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holds {
    /// A value that the API does not look into.
    Any,
    /// A message, or a list of them.
    Message(&'static [(&'static str, Holds)]),
    /// A map from names to schemas.
    Schemas,
    /// A schema of the OpenAPI kind.
    Schema,
}

use Holds::{Any, Message, Schema, Schemas};

const BLOB: &[(&str, Holds)] = &[("mimeType", Any), ("data", Any), ("displayName", Any)];
const FILE: &[(&str, Holds)] = &[("mimeType", Any), ("fileUri", Any), ("displayName", Any)];
const FUNCTION_CALL: &[(&str, Holds)] =
    &[("id", Any), ("name", Any), ("args", Any), ("partialArgs", Any), ("willContinue", Any)];
const FUNCTION_RESPONSE: &[(&str, Holds)] =
    &[("id", Any), ("name", Any), ("response", Any), ("parts", Any), ("willContinue", Any), ("scheduling", Any)];

const PART: &[(&str, Holds)] = &[
    ("text", Any),
    ("thought", Any),
    ("thoughtSignature", Any),
    ("inlineData", Message(BLOB)),
    ("fileData", Message(FILE)),
    ("functionCall", Message(FUNCTION_CALL)),
    ("functionResponse", Message(FUNCTION_RESPONSE)),
    ("executableCode", Any),
    ("codeExecutionResult", Any),
    ("toolCall", Any),
    ("toolResponse", Any),
    ("videoMetadata", Any),
    ("mediaResolution", Any),
    ("partMetadata", Any),
];

const CONTENT: &[(&str, Holds)] = &[("role", Any), ("parts", Message(PART))];

const FUNCTION: &[(&str, Holds)] = &[
    ("name", Any),
    ("description", Any),
    ("behavior", Any),
    ("parameters", Schema),
    ("parametersJsonSchema", Any),
    ("response", Schema),
    ("responseJsonSchema", Any),
];

const TOOL: &[(&str, Holds)] = &[
    ("functionDeclarations", Message(FUNCTION)),
    ("googleSearch", Any),
    ("googleSearchRetrieval", Any),
    ("googleMaps", Any),
    ("codeExecution", Any),
    ("urlContext", Any),
    ("computerUse", Any),
    ("fileSearch", Any),
    ("mcpServers", Any),
];

const CALLING: &[(&str, Holds)] = &[("mode", Any), ("allowedFunctionNames", Any), ("streamFunctionCallArguments", Any)];

const TOOL_CONFIG: &[(&str, Holds)] =
    &[("functionCallingConfig", Message(CALLING)), ("retrievalConfig", Any), ("includeServerSideToolInvocations", Any)];

const THINKING: &[(&str, Holds)] = &[("includeThoughts", Any), ("thinkingBudget", Any), ("thinkingLevel", Any)];

const CONFIG: &[(&str, Holds)] = &[
    ("stopSequences", Any),
    ("responseMimeType", Any),
    ("responseSchema", Schema),
    ("responseJsonSchema", Any),
    ("responseFormat", Any),
    ("responseModalities", Any),
    ("candidateCount", Any),
    ("maxOutputTokens", Any),
    ("temperature", Any),
    ("topP", Any),
    ("topK", Any),
    ("seed", Any),
    ("presencePenalty", Any),
    ("frequencyPenalty", Any),
    ("responseLogprobs", Any),
    ("logprobs", Any),
    ("enableEnhancedCivicAnswers", Any),
    ("speechConfig", Any),
    ("thinkingConfig", Message(THINKING)),
    ("imageConfig", Any),
    ("mediaResolution", Any),
];

const SAFETY: &[(&str, Holds)] = &[("category", Any), ("threshold", Any), ("method", Any)];

/// Fields of `generateContent` and `streamGenerateContent`.
pub(super) const GENERATE: &[(&str, Holds)] = &[
    ("model", Any),
    ("contents", Message(CONTENT)),
    ("tools", Message(TOOL)),
    ("toolConfig", Message(TOOL_CONFIG)),
    ("safetySettings", Message(SAFETY)),
    ("systemInstruction", Message(CONTENT)),
    ("generationConfig", Message(CONFIG)),
    ("cachedContent", Any),
    ("serviceTier", Any),
    ("store", Any),
];

/// Fields of `countTokens`.
pub(super) const COUNT: &[(&str, Holds)] =
    &[("contents", Message(CONTENT)), ("generateContentRequest", Message(GENERATE))];

/// Fields of `embedContent`.
pub(super) const EMBED: &[(&str, Holds)] = &[
    ("model", Any),
    ("content", Message(CONTENT)),
    ("taskType", Any),
    ("title", Any),
    ("outputDimensionality", Any),
    ("embedContentConfig", Any),
];

/// Fields of `batchEmbedContents`.
pub(super) const EMBED_BATCH: &[(&str, Holds)] = &[("requests", Message(EMBED))];

/// Fields of a schema of the OpenAPI kind.
pub(super) const SCHEMA: &[(&str, Holds)] = &[
    ("type", Any),
    ("format", Any),
    ("title", Any),
    ("description", Any),
    ("nullable", Any),
    ("enum", Any),
    ("maxItems", Any),
    ("minItems", Any),
    ("properties", Schemas),
    ("required", Any),
    ("minProperties", Any),
    ("maxProperties", Any),
    ("minLength", Any),
    ("maxLength", Any),
    ("pattern", Any),
    ("example", Any),
    ("anyOf", Schema),
    ("propertyOrdering", Any),
    ("default", Any),
    ("items", Schema),
    ("minimum", Any),
    ("maximum", Any),
];
