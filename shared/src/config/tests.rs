use std::io::Write as _;

use serde::Deserialize;

use super::*;
use crate::secret::Secret;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Settings {
    server: Server,
    auth: Auth,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Server {
    host: String,
    port: u16,
    tags: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Auth {
    password: Option<Secret>,
    strict: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self { host: "0.0.0.0".into(), port: 5000, tags: Vec::new() }
    }
}

fn loader() -> Loader {
    Loader::new::<Settings>(&["Node"])
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn later_sources_win_over_earlier_ones_and_defaults_fill_the_rest() {
    let file = file(r#"{"Serilog":{"x":1},"OrchestrationApi":{"Server":{"Host":"a","Port":1,"Tags":["x"]}}}"#);
    let loaded = loader()
        .file(file.path())
        .unwrap()
        .environment([
            variable("OrchestrationApi__Server__Port", "2"),
            variable("ORCHESTRATIONAPI__AUTH__PASSWORD", "0123"),
            variable("OrchestrationApi__Auth__Strict", "True"),
            variable("PATH", "ignored"),
        ])
        .unwrap()
        .flag("Server:Port", Some(3))
        .unwrap()
        .flag("Server:Host", None::<String>)
        .unwrap()
        .load::<Settings>()
        .unwrap();
    assert_eq!(loaded.settings.server, Server { host: "a".into(), port: 3, tags: vec!["x".into()] });
    assert_eq!(loaded.settings.auth, Auth { password: Some("0123".into()), strict: true });
    assert_eq!(loader().load::<Settings>().unwrap().settings, Settings::default());
}

#[test]
fn an_unknown_key_names_its_source_and_the_nearest_known_one() {
    let error = loader().environment([variable("OrchestrationApi__Server__Prot", "1")]).unwrap_err().to_string();
    assert_eq!(
        error,
        "environment variable OrchestrationApi__Server__Prot: unknown setting \"Server:Prot\"; did you mean \"Server:Port\"?"
    );
    let file = file(r#"{"OrchestrationApi":{"Auth":{"Pasword":"x"}}}"#);
    let error = loader().file(file.path()).unwrap_err().to_string();
    assert!(error.contains("did you mean \"Auth:Password\"?"), "{error}");
}

#[test]
fn keys_of_the_other_program_pass_and_keys_of_the_original_are_reported() {
    let file = file(r#"{"OrchestrationApi":{"Node":{"Id":"n"},"Gemini":{"DataTimeoutSeconds":30},"Version":"1"}}"#);
    let loaded = loader().file(file.path()).unwrap().load::<Settings>().unwrap();
    assert_eq!(loaded.without_effect.len(), 2, "{:?}", loaded.without_effect);
    assert!(loader().environment([variable("OrchestrationApi__Nodes__Id", "x")]).is_err());
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_its_key() {
    let refused = |key: &str, value: &str| loader().flag(key, Some(value)).unwrap_err().to_string();
    assert_eq!(refused("Server:Port", "many"), "command line: Server:Port must be a number, not \"many\"");
    assert_eq!(refused("auth:strict", "perhaps"), "command line: Auth:Strict must be true or false, not \"perhaps\"");
    let out_of_range = loader().flag("Server:Port", Some(70_000)).unwrap().load::<Settings>().unwrap_err();
    assert!(out_of_range.to_string().contains("70000"), "{out_of_range}");
}
