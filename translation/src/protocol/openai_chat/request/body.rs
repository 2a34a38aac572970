//! The body of a client's request, as it stands.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::message::MessageIn;
use crate::json::Json;

/// The fields that have a neutral form. Others are kept as they are.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "named as the documentation names them")]
pub(super) struct Body<'a> {
    pub(super) model: Option<String>,
    pub(super) messages: Option<Vec<MessageIn<'a>>>,
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<Fields>,
    pub(super) tools: Option<Vec<&'a RawValue>>,
    pub(super) functions: Option<Vec<&'a RawValue>>,
    pub(super) tool_choice: Option<&'a RawValue>,
    pub(super) function_call: Option<&'a RawValue>,
    pub(super) parallel_tool_calls: Option<bool>,
    pub(super) max_tokens: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) temperature: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) top_k: Option<i64>,
    pub(super) seed: Option<i64>,
    pub(super) presence_penalty: Option<f64>,
    pub(super) frequency_penalty: Option<f64>,
    pub(super) stop: Option<StringOrList>,
    pub(super) n: Option<u32>,
    pub(super) logprobs: Option<bool>,
    pub(super) top_logprobs: Option<u32>,
    pub(super) response_format: Option<&'a RawValue>,
    pub(super) reasoning_effort: Option<String>,
    pub(super) reasoning: Option<Reasoning>,
    pub(super) thinking: Option<Thinking>,
    pub(super) output_config: Option<Fields>,
    pub(super) verbosity: Option<String>,
    pub(super) modalities: Option<Vec<String>>,
    pub(super) user: Option<String>,
    pub(super) safety_identifier: Option<String>,
    pub(super) metadata: Option<Fields>,
    pub(super) service_tier: Option<String>,
    pub(super) cache_control: Option<super::content::CacheIn>,
    pub(super) extra_body: Option<Json>,
    /// Other fields. Those with `null` are left out.
    pub(super) rest: Vec<(String, Json)>,
}

/// An object whose values are read later, or not at all.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(String, Json)>);

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    fields.extend(value.non_null().map(|value| (name, value)));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl Fields {
    /// Takes out the field of that name.
    pub(super) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.remove(at).1)
    }
}

impl<'de> Deserialize<'de> for Body<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BodyVisitor)
    }
}

struct BodyVisitor;

impl<'de> Visitor<'de> for BodyVisitor {
    type Value = Body<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Body<'de>, A::Error> {
        let mut body = Body::default();
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                "model" => body.model = map.next_value()?,
                "messages" => body.messages = map.next_value()?,
                "stream" => body.stream = map.next_value()?,
                "stream_options" => body.stream_options = map.next_value()?,
                "tools" => body.tools = map.next_value()?,
                "functions" => body.functions = map.next_value()?,
                "tool_choice" => body.tool_choice = map.next_value()?,
                "function_call" => body.function_call = map.next_value()?,
                "parallel_tool_calls" => body.parallel_tool_calls = map.next_value()?,
                "max_tokens" => body.max_tokens = map.next_value()?,
                "max_completion_tokens" => body.max_completion_tokens = map.next_value()?,
                "temperature" => body.temperature = map.next_value()?,
                "top_p" => body.top_p = map.next_value()?,
                "top_k" => body.top_k = map.next_value()?,
                "seed" => body.seed = map.next_value()?,
                "presence_penalty" => body.presence_penalty = map.next_value()?,
                "frequency_penalty" => body.frequency_penalty = map.next_value()?,
                "stop" => body.stop = map.next_value()?,
                "n" => body.n = map.next_value()?,
                "logprobs" => body.logprobs = map.next_value()?,
                "top_logprobs" => body.top_logprobs = map.next_value()?,
                "response_format" => body.response_format = map.next_value()?,
                "reasoning_effort" => body.reasoning_effort = map.next_value()?,
                "reasoning" => body.reasoning = map.next_value()?,
                "thinking" => body.thinking = map.next_value()?,
                "output_config" => body.output_config = map.next_value()?,
                "verbosity" => body.verbosity = map.next_value()?,
                "modalities" => body.modalities = map.next_value()?,
                "user" => body.user = map.next_value()?,
                "safety_identifier" => body.safety_identifier = map.next_value()?,
                "metadata" => body.metadata = map.next_value()?,
                "service_tier" => body.service_tier = map.next_value()?,
                "cache_control" => body.cache_control = map.next_value()?,
                "extra_body" => body.extra_body = map.next_value()?,
                _ => {
                    let value: Json = map.next_value()?;
                    body.rest.extend(value.non_null().map(|value| (key.into_owned(), value)));
                }
            }
        }
        Ok(body)
    }
}

/// `stop`: one text, or several.
pub(super) struct StringOrList(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for StringOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringOrListVisitor;
        impl<'de> Visitor<'de> for StringOrListVisitor {
            type Value = StringOrList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StringOrList, E> {
                Ok(StringOrList(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<StringOrList, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(StringOrList(texts))
            }
        }
        deserializer.deserialize_any(StringOrListVisitor)
    }
}

/// OpenRouter's `reasoning`, and what clients of the Responses API write.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Reasoning {
    pub(super) effort: Option<String>,
    pub(super) max_tokens: Option<u64>,
    pub(super) enabled: Option<bool>,
    pub(super) exclude: Option<bool>,
    pub(super) summary: Option<String>,
}

/// Anthropic's `thinking`, which many OpenAI-compatible vendors took over.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Thinking {
    pub(super) r#type: Option<String>,
    pub(super) budget_tokens: Option<u64>,
    pub(super) display: Option<String>,
}
