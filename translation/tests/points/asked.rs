//! One request, as a client of each format writes it.

use serde_json::{Map, Value, json};
use translation::Format;
use translation::facts::Facts;
use translation::ir::TranslateError;
use translation::protocol::contract::{Encoded, Quirks, Target};

use super::FORMATS;

/// What a conversation consists of.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    System(&'static str),
    Developer(&'static str),
    User(&'static str),
    /// A picture: a URL, or a `data:` URL.
    Picture(&'static str),
    Model(&'static str),
    /// Calls of the model's: id, name, arguments.
    Calls(Vec<(&'static str, &'static str, Value)>),
    /// Their results: id, name, text.
    Results(Vec<(&'static str, &'static str, &'static str)>),
}

/// Whether a tool must be called.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    None,
    Required,
    Named(&'static str),
}

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) turns: Vec<Turn>,
    /// Name and schema.
    pub(crate) tools: Vec<(&'static str, Value)>,
    pub(crate) choice: Option<Choice>,
    pub(crate) parallel: Option<bool>,
    pub(crate) most: Option<u64>,
    pub(crate) temperature: Option<f64>,
    pub(crate) top_p: Option<f64>,
    pub(crate) stop: Vec<&'static str>,
    pub(crate) effort: Option<&'static str>,
    /// The schema that the answer has to fit.
    pub(crate) output: Option<Value>,
}

/// What a provider is sent for a request.
pub(crate) struct Sent {
    pub(crate) body: Value,
    pub(crate) encoded: Encoded,
}

/// A request of one user's message.
pub(crate) fn hello() -> Ask {
    Ask { turns: vec![Turn::User("Hi")], ..Ask::default() }
}

/// The weather of two cities was asked for, and came: the results in another order than the calls.
pub(crate) fn two_calls() -> Ask {
    let call = |id, city: &str| (id, "weather", json!({"city": city}));
    Ask {
        turns: vec![
            Turn::User("Weather?"),
            Turn::Calls(vec![call("call_1", "Bern"), call("call_2", "Rome")]),
            Turn::Results(vec![("call_2", "weather", "rain"), ("call_1", "weather", "sun")]),
        ],
        tools: vec![("weather", city())],
        ..Ask::default()
    }
}

pub(crate) fn city() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

impl Ask {
    /// As a client of `format` writes it.
    pub(crate) fn of(&self, format: Format) -> Value {
        let mut body = match format {
            Format::OpenAiChat => self.of_chat(),
            Format::OpenAiResponses => self.of_responses(),
            Format::AnthropicMessages => self.of_anthropic(),
            _ => self.of_gemini(),
        };
        body.retain(|_, value| !value.is_null() && *value != json!([]) && *value != json!({}));
        Value::Object(body)
    }

    /// What the provider of `model`, spoken to in `target`, is sent for it as `client` writes it.
    pub(crate) fn sent(&self, client: Format, target: Format, model: &str) -> Result<Sent, TranslateError> {
        send(client, &self.of(client), target, model)
    }

    fn of_chat(&self) -> Map<String, Value> {
        let mut messages = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::System(text) => messages.push(json!({"role": "system", "content": text})),
                Turn::Developer(text) => messages.push(json!({"role": "developer", "content": text})),
                Turn::User(text) => messages.push(json!({"role": "user", "content": text})),
                Turn::Picture(url) => {
                    let part = json!({"type": "image_url", "image_url": {"url": url}});
                    messages.push(json!({"role": "user", "content": [part]}));
                }
                Turn::Model(text) => messages.push(json!({"role": "assistant", "content": text})),
                Turn::Calls(calls) => {
                    let call = |(id, name, arguments): &(&str, &str, Value)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments.to_string()}});
                    let calls: Vec<_> = calls.iter().map(call).collect();
                    messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
                }
                Turn::Results(results) => messages.extend(
                    results.iter().map(|(id, _, text)| json!({"role": "tool", "tool_call_id": id, "content": text})),
                ),
            }
        }
        let tool = |(name, schema): &(&str, Value)| json!({"type": "function", "function": {"name": name, "parameters": schema}});
        let output = self.output.as_ref();
        object(json!({
            "model": "m",
            "messages": messages,
            "tools": self.tools.iter().map(tool).collect::<Vec<_>>(),
            "tool_choice": self.choice.map(|choice| match choice {
                Choice::None => json!("none"),
                Choice::Required => json!("required"),
                Choice::Named(name) => json!({"type": "function", "function": {"name": name}}),
            }),
            "parallel_tool_calls": self.parallel,
            "max_completion_tokens": self.most,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": self.stop,
            "reasoning_effort": self.effort,
            "response_format": output.map(|schema| {
                json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}})
            }),
        }))
    }

    fn of_responses(&self) -> Map<String, Value> {
        let mut input = Vec::new();
        for turn in &self.turns {
            match turn {
                Turn::System(text) => input.push(json!({"role": "system", "content": text})),
                Turn::Developer(text) => input.push(json!({"role": "developer", "content": text})),
                Turn::User(text) => input.push(json!({"role": "user", "content": text})),
                Turn::Picture(url) => {
                    input.push(json!({"role": "user", "content": [{"type": "input_image", "image_url": url}]}));
                }
                Turn::Model(text) => {
                    input.push(json!({"role": "assistant", "content": [{"type": "output_text", "text": text}]}));
                }
                Turn::Calls(calls) => input.extend(calls.iter().map(|(id, name, arguments)| {
                    json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments.to_string()})
                })),
                Turn::Results(results) => input.extend(results.iter().map(|(id, _, text)| {
                    json!({"type": "function_call_output", "call_id": id, "output": text})
                })),
            }
        }
        let tool = |(name, schema): &(&str, Value)| json!({"type": "function", "name": name, "parameters": schema, "strict": false});
        let output = self.output.as_ref();
        object(json!({
            "model": "m",
            "input": input,
            "tools": self.tools.iter().map(tool).collect::<Vec<_>>(),
            "tool_choice": self.choice.map(|choice| match choice {
                Choice::None => json!("none"),
                Choice::Required => json!("required"),
                Choice::Named(name) => json!({"type": "function", "name": name}),
            }),
            "parallel_tool_calls": self.parallel,
            "max_output_tokens": self.most,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "reasoning": self.effort.map(|effort| json!({"effort": effort})),
            "text": output.map(|schema| json!({"format": {"type": "json_schema", "name": "answer", "schema": schema}})),
        }))
    }

    fn of_anthropic(&self) -> Map<String, Value> {
        let (mut system, mut messages) = (Vec::new(), Vec::new());
        for turn in &self.turns {
            match turn {
                // The format has no other place for them.
                Turn::System(text) | Turn::Developer(text) => system.push(json!({"type": "text", "text": text})),
                Turn::User(text) => messages.push(json!({"role": "user", "content": text})),
                Turn::Picture(url) => {
                    let source = match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
                        Some((mime, data)) => json!({"type": "base64", "media_type": mime, "data": data}),
                        None => json!({"type": "url", "url": url}),
                    };
                    messages.push(json!({"role": "user", "content": [{"type": "image", "source": source}]}));
                }
                Turn::Model(text) => messages.push(json!({"role": "assistant", "content": text})),
                Turn::Calls(calls) => {
                    let call = |(id, name, input): &(&str, &str, Value)| json!({"type": "tool_use", "id": id, "name": name, "input": input});
                    messages.push(json!({"role": "assistant", "content": calls.iter().map(call).collect::<Vec<_>>()}));
                }
                Turn::Results(results) => {
                    let result = |(id, _, text): &(&str, &str, &str)| json!({"type": "tool_result", "tool_use_id": id, "content": text});
                    messages.push(json!({"role": "user", "content": results.iter().map(result).collect::<Vec<_>>()}));
                }
            }
        }
        let tool = |(name, schema): &(&str, Value)| json!({"name": name, "input_schema": schema});
        let mut choice = self.choice.map(|choice| match choice {
            Choice::None => json!({"type": "none"}),
            Choice::Required => json!({"type": "any"}),
            Choice::Named(name) => json!({"type": "tool", "name": name}),
        });
        if let Some(parallel) = self.parallel {
            choice.get_or_insert_with(|| json!({"type": "auto"}))["disable_parallel_tool_use"] = json!(!parallel);
        }
        let output = self.output.as_ref();
        object(json!({
            "model": "m",
            "max_tokens": self.most.unwrap_or(1_000),
            "system": system,
            "messages": messages,
            "tools": self.tools.iter().map(tool).collect::<Vec<_>>(),
            "tool_choice": choice,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop_sequences": self.stop,
            "output_config": object_of([
                ("effort", self.effort.map(Value::from)),
                ("format", output.map(|schema| json!({"type": "json_schema", "schema": schema}))),
            ]),
        }))
    }

    fn of_gemini(&self) -> Map<String, Value> {
        let (mut system, mut contents) = (Vec::new(), Vec::new());
        for turn in &self.turns {
            match turn {
                Turn::System(text) | Turn::Developer(text) => system.push(json!({"text": text})),
                Turn::User(text) => contents.push(json!({"role": "user", "parts": [{"text": text}]})),
                Turn::Picture(url) => {
                    let part = match url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
                        Some((mime, data)) => json!({"inlineData": {"mimeType": mime, "data": data}}),
                        None => json!({"fileData": {"mimeType": "image/png", "fileUri": url}}),
                    };
                    contents.push(json!({"role": "user", "parts": [part]}));
                }
                Turn::Model(text) => contents.push(json!({"role": "model", "parts": [{"text": text}]})),
                Turn::Calls(calls) => {
                    let call = |(id, name, args): &(&str, &str, Value)| json!({"functionCall": {"id": id, "name": name, "args": args}});
                    contents.push(json!({"role": "model", "parts": calls.iter().map(call).collect::<Vec<_>>()}));
                }
                Turn::Results(results) => {
                    let result = |(id, name, text): &(&str, &str, &str)| json!({"functionResponse": {"id": id, "name": name, "response": {"result": text}}});
                    contents.push(json!({"role": "user", "parts": results.iter().map(result).collect::<Vec<_>>()}));
                }
            }
        }
        let tool = |(name, schema): &(&str, Value)| json!({"name": name, "parametersJsonSchema": schema});
        let tools: Vec<_> = self.tools.iter().map(tool).collect();
        let config = self.choice.map(|choice| match choice {
            Choice::None => json!({"mode": "NONE"}),
            Choice::Required => json!({"mode": "ANY"}),
            Choice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        });
        let output = self.output.as_ref();
        object(json!({
            "model": "m",
            "systemInstruction": (!system.is_empty()).then(|| json!({"parts": system})),
            "contents": contents,
            "tools": (!tools.is_empty()).then(|| json!([{"functionDeclarations": tools}])),
            "toolConfig": config.map(|config| json!({"functionCallingConfig": config})),
            "generationConfig": object_of([
                ("maxOutputTokens", self.most.map(Value::from)),
                ("temperature", self.temperature.map(Value::from)),
                ("topP", self.top_p.map(Value::from)),
                ("stopSequences", (!self.stop.is_empty()).then(|| json!(self.stop))),
                ("thinkingConfig", self.effort.map(|level| json!({"thinkingLevel": level.to_uppercase()}))),
                ("responseMimeType", output.map(|_| json!("application/json"))),
                ("responseJsonSchema", output.cloned()),
            ]),
        }))
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("{value}") };
    object
}

fn object_of<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// What the provider is sent for `body`, which a client of `client`'s format wrote.
pub(crate) fn send(client: Format, body: &Value, target: Format, model: &str) -> Result<Sent, TranslateError> {
    let request = client.protocol().decode_request(body.to_string().as_bytes())?;
    let facts = Facts::built_in().of(model);
    let written_for = Target { model, facts, quirks: &Quirks::NONE, stream: false };
    let encoded = target.protocol().encode_request(&request, &written_for)?;
    Ok(Sent { body: serde_json::from_slice(&encoded.body).unwrap(), encoded })
}

/// A model of each provider's that takes most, and its format.
pub(crate) fn models() -> [(Format, &'static str); 4] {
    let models = ["gpt-4o", "gpt-5.1", "claude-sonnet-4-5", "gemini-2.5-flash"];
    std::array::from_fn(|at| (FORMATS[at], models[at]))
}

/// The formats of clients that a provider of `format`'s is translated for.
pub(crate) fn others(format: Format) -> impl Iterator<Item = Format> {
    FORMATS.into_iter().filter(move |other| *other != format)
}
