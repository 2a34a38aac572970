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
    mode: Mode,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Open,
    Closed,
}

impl Default for Server {
    fn default() -> Self {
        Self { host: "0.0.0.0".into(), port: 5000, tags: Vec::new() }
    }
}

/// The settings of another program in the same process.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Neighbour {
    limits: Limits,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Limits {
    max_body_bytes: u64,
    host: String,
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
    assert_eq!(loaded.settings.auth, Auth { password: Some("0123".into()), strict: true, mode: Mode::Open });
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
fn only_what_is_near_is_suggested() {
    let told = |key: &str| {
        let loader = loader().suggesting::<Neighbour>();
        loader.flag(key, Some("x")).unwrap_err().to_string().replace("command line: unknown setting ", "")
    };
    assert_eq!(told("Limit:MaxBodyBytes"), r#""Limit:MaxBodyBytes"; did you mean "Limits:MaxBodyBytes"?"#);
    assert_eq!(told("maxbodybytes"), r#""maxbodybytes"; did you mean "Limits:MaxBodyBytes"?"#);
    assert_eq!(told("Elsewhere:MaxBodyBytes"), r#""Elsewhere:MaxBodyBytes"; did you mean "Limits:MaxBodyBytes"?"#);
    assert_eq!(told("host"), r#""host"; did you mean "Server:Host" or "Limits:Host"?"#);
    assert_eq!(told("Nods:Id"), r#""Nods:Id"; did you mean "Node:Id"?"#);
    assert_eq!(told("Completely:Different"), r#""Completely:Different""#);
    assert_eq!(told("Elsewhere:Host"), r#""Elsewhere:Host""#);
}

#[test]
fn what_stands_in_the_wrong_place_is_reported_with_the_right_one() {
    let file = file(r#"{"server":{"Port":1},"Node":{},"Serilog":{"Port":1},"OrchestrationApi":{"Server":{"Port":2}}}"#);
    let loaded = loader()
        .file(file.path())
        .unwrap()
        .environment([variable("ORCHESTRATION_API__Server__Port", "3"), variable("ORCHESTRATION_API_PORT", "tcp://x")])
        .unwrap()
        .load::<Settings>()
        .unwrap();
    assert_eq!(loaded.settings.server.port, 2);
    let reported = loaded.without_effect.join("\n");
    assert_eq!(loaded.without_effect.len(), 3, "{reported}");
    assert!(
        reported.contains("server (") && reported.contains("move it into the object \"OrchestrationApi\""),
        "{reported}"
    );
    assert!(reported.contains("write OrchestrationApi__Server__Port"), "{reported}");
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
    let out_of_range = out_of_range.to_string();
    assert!(out_of_range.starts_with("Server:Port: ") && out_of_range.contains("70000"), "{out_of_range}");
    let format = loader().flag("Auth:Mode", Some("clsed")).unwrap().load::<Settings>().unwrap_err().to_string();
    assert_eq!(format, "Auth:Mode: unknown variant `clsed`, expected `open` or `closed`");
}
