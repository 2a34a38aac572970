//! Settings from `appsettings.json`, the environment and flags, later over earlier.
//!
//! A program describes its settings as a struct whose fields serialise in `PascalCase` and have defaults: that struct
//! is the list of known keys. Keys are written `Section:Key` here, nested objects in the file's `OrchestrationApi`
//! object, and `OrchestrationApi__Section__Key` in the environment. Upper and lower case are the same. An unknown key
//! is an error that names the known key nearest to it.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use thiserror::Error;

pub mod bounds;
mod log_filter;
mod lookalike;
mod nearest;
mod original;
mod sections;

pub use bounds::{SettingError, seconds};
pub use sections::{LogSettings, MetricsSettings, Ports, ServerSettings};

/// The settings file that is read when it exists and no other is named.
const DEFAULT_FILE: &str = "appsettings.json";

/// The object of the file, and the prefix in the environment, that hold the settings.
const ROOT: &str = "OrchestrationApi";

/// Where a value came from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A settings file.
    File(PathBuf),
    /// A variable of the environment, by its full name.
    Environment(String),
    /// A command-line flag.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => write!(f, "command line"),
        }
    }
}

/// Why the settings could not be read.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The file is not JSON.
    #[error("{path}: not valid JSON: {error}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: serde_json::Error,
    },
    /// No program knows this key.
    #[error("{origin}: unknown setting {key:?}{}", did_you_mean(.nearest))]
    UnknownKey {
        /// Where it stands.
        origin: Source,
        /// The key as given.
        key: String,
        /// Known keys that are spelt nearly like it. May be empty.
        nearest: Vec<String>,
    },
    /// The value has the wrong type.
    #[error("{origin}: {key} must be {expected}, not {given:?}")]
    Value {
        /// Where it stands.
        origin: Source,
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        given: String,
    },
    /// The settings do not fit the program, for example a number out of range.
    #[error("{key}: {error}")]
    Shape {
        /// The key.
        key: String,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// `; did you mean "A", "B" or "C"?`
fn did_you_mean(nearest: &[String]) -> String {
    let quoted: Vec<_> = nearest.iter().map(|key| format!("{key:?}")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        [first @ .., last] => format!("; did you mean {} or {last}?", first.join(", ")),
    }
}

/// Settings, and what was given that may not do what it seems to.
#[derive(Debug)]
pub struct Loaded<T> {
    /// The settings.
    pub settings: T,
    /// A sentence for each thing that looks like a setting and is not read as it stands, with its source and with what
    /// to write. They are to be logged as warnings.
    pub warnings: Vec<String>,
}

/// Collects values from the sources. A later call overrides what an earlier one gave.
#[derive(Debug)]
pub struct Loader {
    /// Every known key as its path, with an example value that tells its type.
    known: Vec<(String, Value)>,
    /// Keys of another program in the same process.
    neighbours: Vec<(String, Value)>,
    /// Sections of another program that may share the file.
    elsewhere: &'static [&'static str],
    values: Map<String, Value>,
    warnings: Vec<String>,
    original: original::Found,
}

impl Loader {
    /// A loader for the settings `T`. `elsewhere` names sections that belong to another program.
    pub fn new<T: Serialize + Default>(elsewhere: &'static [&'static str]) -> Self {
        let mut known = Vec::new();
        collect_known("", &serde_json::to_value(T::default()).unwrap_or_default(), &mut known);
        let (values, warnings, original) = (Map::new(), Vec::new(), original::Found::default());
        Self { known, neighbours: Vec::new(), elsewhere, values, warnings, original }
    }

    /// Also suggests keys of `T`, which belong to another program that reads them itself.
    #[must_use]
    pub fn suggesting<T: Serialize + Default>(mut self) -> Self {
        collect_known("", &serde_json::to_value(T::default()).unwrap_or_default(), &mut self.neighbours);
        self
    }

    /// Adds all sources of a program: the settings file, then the environment, then the flags, each under the key that
    /// it stands for. Without `file`, the file is `appsettings.json` if that exists.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, an unknown key or a value of the wrong type.
    pub fn sources(
        mut self,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Result<Self, ConfigError> {
        let default = Path::new(DEFAULT_FILE);
        if let Some(file) = file.or_else(|| default.exists().then_some(default)) {
            self = self.file(file)?;
        }
        self = self.environment(environment)?;
        for (key, value) in flags {
            self = self.flag(key, value)?;
        }
        Ok(self)
    }

    /// Adds the `OrchestrationApi` object of a JSON file. Other objects of the file belong to other programs; one that
    /// has the name of a section of ours, or nearly that of our object, is reported.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read or holds an unknown key or a value of the wrong type.
    pub fn file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let document: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
            .map_err(|error| ConfigError::Json { path: path.to_owned(), error })?;
        let source = Source::File(path.to_owned());
        let refuse = |key: &str, value: &Value| {
            let (origin, key, given) = (source.clone(), key.to_owned(), value.to_string());
            Err(ConfigError::Value { origin, key, expected: "an object", given })
        };
        let Value::Object(objects) = &document else { return refuse("the whole file", &document) };
        let mut found = false;
        for (name, section) in objects {
            if name.eq_ignore_ascii_case(ROOT) {
                if !section.is_object() {
                    return refuse(name, section);
                }
                found = true;
                self.walk(&source, "", section)?;
            } else if !self.original.beside(&source, name) {
                self.outside(&source, name, section);
            }
        }
        if !found {
            self.warnings.push(format!("{source}: not read, because it holds no object {ROOT:?}"));
        }
        Ok(self)
    }

    /// Reports a key of the file that stands outside of our object, where it looks as if it were meant for us.
    fn outside(&mut self, source: &Source, name: &str, section: &Value) {
        let key = name.replace("__", ":");
        let inside = key.split_once(':').filter(|(root, _)| root.eq_ignore_ascii_case(ROOT)).map(|(_, key)| key);
        let nested =
            section.as_object().is_some_and(|section| section.keys().any(|key| key.eq_ignore_ascii_case(ROOT)));
        if let Some(key) = inside {
            self.warnings.push(format!(
                "{name} ({source}): not read; move {key:?} into the object {ROOT:?}, each of its parts an object of its own"
            ));
        } else if self.is_section(key.split(':').next().unwrap_or_default()) {
            self.warnings.push(format!("{name} ({source}): not read; move it into the object {ROOT:?}"));
        } else if nested {
            self.warnings
                .push(format!("{name}:{ROOT} ({source}): not read; {ROOT:?} must stand at the top of the file"));
        } else if lookalike::is_nearly_root(name) {
            self.warnings.push(format!("{name} ({source}): not read; did you mean {ROOT:?}?"));
        }
    }

    /// Whether a key of ours, or of the program that shares the file, begins with `name`.
    fn is_section(&self, name: &str) -> bool {
        let first = |key: &str| key.split(':').next().is_some_and(|section| section.eq_ignore_ascii_case(name));
        self.known.iter().any(|(key, _)| first(key)) || self.elsewhere.iter().any(|section| first(section))
    }

    /// Adds variables whose name starts with `OrchestrationApi__`, in any case. A variable in another case is read and
    /// reported; one whose name nearly starts so is reported.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key or a value of the wrong type.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        for (name, value) in variables {
            if let Some((root, key)) = name.split_once("__").filter(|(root, _)| root.eq_ignore_ascii_case(ROOT)) {
                let key = key.replace("__", ":");
                if root != ROOT {
                    let spelt = self.known.iter().find(|(known, _)| known.eq_ignore_ascii_case(&key));
                    let spelt = spelt.map_or(key.as_str(), |(known, _)| known).replace(':', "__");
                    self.warnings.push(format!("{name} (environment): read as {ROOT}__{spelt}; write it so"));
                }
                self.set(&Source::Environment(name.clone()), &key, Value::String(value))?;
            } else {
                let known = self.known.iter().chain(&self.neighbours).map(|(known, _)| known.as_str());
                let told = lookalike::of_variable(&name, &value, known).or_else(|| original::of_variable(&name));
                self.warnings.extend(told);
            }
        }
        Ok(self)
    }

    /// Adds one flag, if it was given.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown key or a value of the wrong type.
    pub fn flag(mut self, key: &str, value: Option<impl ToString>) -> Result<Self, ConfigError> {
        if let Some(value) = value {
            self.set(&Source::Flag, key, Value::String(value.to_string()))?;
        }
        Ok(self)
    }

    /// The settings, with the default wherever no source gave a value.
    ///
    /// # Errors
    /// [`ConfigError::Shape`] when a value is out of range for its field.
    pub fn load<T: DeserializeOwned>(self) -> Result<Loaded<T>, ConfigError> {
        match serde_json::from_value(Value::Object(self.values.clone())) {
            Ok(settings) => {
                let mut warnings = self.warnings;
                warnings.extend(self.original.told());
                Ok(Loaded { settings, warnings })
            }
            Err(error) => {
                let (key, error) = self.blame::<T>().unwrap_or_else(|| ("settings".to_owned(), error));
                Err(ConfigError::Shape { key, error })
            }
        }
    }

    /// The key and error of the value that does not fit. The parser does not tell which one it is, so each value is
    /// tried alone.
    fn blame<T: DeserializeOwned>(&self) -> Option<(String, serde_json::Error)> {
        self.known.iter().find_map(|(key, _)| {
            let value = key.split(':').try_fold(None, |section: Option<&Value>, name| {
                Some(Some(section.map_or_else(|| self.values.get(name), |section| section.get(name))?))
            })??;
            let alone =
                key.rsplit(':').fold(value.clone(), |value, name| Map::from_iter([(name.to_owned(), value)]).into());
            let error = serde_json::from_value::<T>(alone).err()?;
            Some((key.clone(), error))
        })
    }

    fn walk(&mut self, source: &Source, prefix: &str, value: &Value) -> Result<(), ConfigError> {
        match value {
            Value::Object(entries) if !self.known.iter().any(|(key, _)| key.eq_ignore_ascii_case(prefix)) => {
                for (name, value) in entries {
                    let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}:{name}") };
                    self.walk(source, &key, value)?;
                }
                Ok(())
            }
            value => self.set(source, prefix, value.clone()),
        }
    }

    fn set(&mut self, source: &Source, key: &str, value: Value) -> Result<(), ConfigError> {
        let Some((known, example)) = self.known.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)) else {
            return self.unknown(source, key);
        };
        let value = convert(source, known, example, value)?;
        let mut section = &mut self.values;
        let mut names = known.split(':').peekable();
        while let Some(name) = names.next() {
            if names.peek().is_none() {
                section.insert(name.to_owned(), value);
                break;
            }
            let next = section.entry(name).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(next) = next else { break };
            section = next;
        }
        Ok(())
    }

    fn unknown(&mut self, source: &Source, key: &str) -> Result<(), ConfigError> {
        if is_within(key, self.elsewhere) {
            return Ok(());
        }
        if self.original.within(source, key) {
            return Ok(());
        }
        let known = self.known.iter().chain(&self.neighbours).map(|(known, _)| known.as_str());
        let nearest = nearest::nearest(key, known, self.elsewhere);
        Err(ConfigError::UnknownKey { origin: source.clone(), key: key.to_owned(), nearest })
    }
}

/// Whether `key` is one of `sections` or stands in one of them.
fn is_within(key: &str, sections: &[&str]) -> bool {
    sections.iter().any(|section| {
        key.get(..section.len()).is_some_and(|start| start.eq_ignore_ascii_case(section))
            && matches!(key.as_bytes().get(section.len()), None | Some(b':'))
    })
}

fn collect_known(prefix: &str, value: &Value, known: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}:{name}") };
                collect_known(&key, value, known);
            }
        }
        value => known.push((prefix.to_owned(), value.clone())),
    }
}

/// Converts a value to the type of the example: text from the environment becomes a number or a truth value if one is
/// wanted.
fn convert(source: &Source, key: &str, example: &Value, value: Value) -> Result<Value, ConfigError> {
    let refuse = |expected: &'static str, given: &Value| {
        let given = given.as_str().map_or_else(|| given.to_string(), str::to_owned);
        Err(ConfigError::Value { origin: source.clone(), key: key.to_owned(), expected, given })
    };
    match (example, value) {
        (_, Value::Null) => Ok(example.clone()),
        (Value::Number(_), Value::String(text)) => match text.trim().parse::<serde_json::Number>() {
            Ok(number) => Ok(Value::Number(number)),
            Err(_) => refuse("a number", &Value::String(text)),
        },
        (Value::Number(_), value @ Value::Number(_))
        | (Value::Bool(_), value @ Value::Bool(_))
        | (Value::String(_) | Value::Null, value @ Value::String(_))
        | (Value::Array(_), value @ Value::Array(_)) => Ok(value),
        (Value::Bool(_), Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
            "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
            _ => refuse("true or false", &Value::String(text)),
        },
        (Value::Array(_), Value::String(text)) => {
            Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Value::from).collect())
        }
        (Value::Number(_), value) => refuse("a number", &value),
        (Value::Bool(_), value) => refuse("true or false", &value),
        (Value::Array(_), value) => refuse("a list", &value),
        (_, value) => refuse("a text", &value),
    }
}

#[cfg(test)]
mod tests;
