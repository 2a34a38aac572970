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
    let file = file(
        r#"{"server":{"Port":1},"Node":{},"Other":{"Port":1},"OrchestrationApi":{"Server":{"Port":2}},
            "OrchestrationApi:Server:Host":"x","Auth__Strict":true,"OrchestrationAPIs":{},"App":{"orchestrationapi":{}}}"#,
    );
    let loaded = loader().file(file.path()).unwrap().load::<Settings>().unwrap();
    assert_eq!(loaded.settings.server, Server { port: 2, ..Server::default() });
    let reported = loaded.warnings.join("\n");
    assert_eq!(loaded.warnings.len(), 6, "{reported}");
    for wanted in [
        "server (",
        "Node (",
        "move it into the object \"OrchestrationApi\"",
        "OrchestrationApi:Server:Host (",
        "move \"Server:Host\" into the object",
        "Auth__Strict (",
        "did you mean \"OrchestrationApi\"?",
        "must stand at the top of the file",
    ] {
        assert!(reported.contains(wanted), "{wanted}: {reported}");
    }
}

#[test]
fn a_file_that_is_not_one_of_settings_is_refused_or_reported() {
    for text in ["[]", "1", r#"{"OrchestrationApi":[]}"#, r#"{"OrchestrationApi":"x"}"#] {
        let error = loader().file(file(text).path()).unwrap_err().to_string();
        assert!(error.contains("must be an object"), "{error}");
    }
    let loaded = loader().file(file("{}").path()).unwrap().load::<Settings>().unwrap();
    assert!(loaded.warnings[0].contains("holds no object \"OrchestrationApi\""), "{:?}", loaded.warnings);
}

#[test]
fn variables_that_look_like_ours_are_named_with_what_was_meant() {
    let told = |name: &str| {
        let loaded = loader().environment([variable(name, "7")]).unwrap().load::<Settings>().unwrap();
        (loaded.settings.server.port == 7, loaded.warnings.join("\n"))
    };
    let (read, warned) = told("ORCHESTRATIONAPI__SERVER__PORT");
    assert!(read && warned.contains("ORCHESTRATIONAPI__SERVER__PORT"), "{warned}");
    assert!(warned.contains("read as OrchestrationApi__Server__Port"), "{warned}");
    assert_eq!(told("OrchestrationApi__Server__Port"), (true, String::new()));
    for name in [
        "OrchestrationApi_Server_Port",
        "ORCHESTRATIONAPI_SERVER_PORT",
        "ORCHESTRATION_API__SERVER__PORT",
        "ORCHESTRATION_API_SERVER_PORT",
        "Orchestration_Api__Server__Port",
        "OrchestrationApi:Server:Port",
        "OrchestrationApi.Server.Port",
        "OrchestrationApi_Server__Port",
        "OrchestratonApi__Server__Port",
        "Server__Port",
        "SERVER__PORT",
    ] {
        let (read, warned) = told(name);
        assert!(!read && warned.contains(name), "{name}: {warned}");
        assert!(warned.contains("write OrchestrationApi__Server__Port"), "{name}: {warned}");
    }
    let (_, warned) = told("OrchestrationApi_X");
    assert!(warned.contains("OrchestrationApi_X") && warned.contains("write OrchestrationApi__X"), "{warned}");
    assert!(told("ASPNETCORE_URLS").1.contains("Server__Listen"));
    for name in ["PATH", "Other__Port", "ORCHESTRATOR", "SERVER_PORT", "ORCHESTRATION_API_SERVICE_HOST"] {
        assert_eq!(told(name), (false, String::new()), "{name}");
    }
    let of_kubernetes = [
        variable("ORCHESTRATION_API_PORT", "tcp://10.0.0.1:5000"),
        variable("ORCHESTRATIONAPI_PORT_5000_TCP_ADDR", "10.0.0.1"),
        variable("ORCHESTRATION_API_SERVICE_PORT_HTTP", "5000"),
    ];
    let loaded = loader().environment(of_kubernetes).unwrap().load::<Settings>().unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn keys_of_the_other_program_pass_and_those_of_the_original_are_told_once_for_each_section() {
    let file = file(
        r#"{"Serilog":{"MinimumLevel":{}},"OrchestrationApi":{"Node":{"Id":"n"},"Version":"1",
            "Gemini":{"DataTimeoutSeconds":30,"MaxDataIntervalSeconds":30},
            "RequestLogging":{"Enabled":true,"RetentionDays":30,"Queue":{"MaxCapacity":1,"BatchSize":2}}}}"#,
    );
    let loaded = loader().file(file.path()).unwrap().load::<Settings>().unwrap();
    let told = loaded.warnings.join("\n");
    assert_eq!(loaded.warnings.len(), 5, "{told}");
    for wanted in [
        "Gemini:DataTimeoutSeconds, Gemini:MaxDataIntervalSeconds (",
        "RequestLogging:Enabled, RequestLogging:RetentionDays (",
        "RequestLogging:Queue:MaxCapacity, RequestLogging:Queue:BatchSize (",
        "Usage:QueueCapacity",
        "Log:Filter",
    ] {
        assert!(told.contains(wanted), "{wanted}: {told}");
    }
    assert!(loader().environment([variable("OrchestrationApi__Nodes__Id", "x")]).is_err());
}

#[test]
fn values_that_cannot_be_meant_are_refused_with_what_is_allowed() {
    let server = |change: fn(&mut ServerSettings)| {
        let mut settings = ServerSettings::default();
        change(&mut settings);
        settings.check().map_err(|error| error.to_string())
    };
    assert_eq!(server(|_| ()), Ok(()));
    let refused = [
        (server(|server| server.header_timeout_seconds = 0.0), "Server:HeaderTimeoutSeconds"),
        (server(|server| server.header_timeout_seconds = 1e300), "Server:HeaderTimeoutSeconds"),
        (server(|server| server.drain_deadline_seconds = 0.0), "Server:DrainDeadlineSeconds"),
        (server(|server| server.drain_delay_seconds = 31.0), "Server:DrainDeadlineSeconds"),
        (server(|server| server.drain_delay_seconds = -1.0), "Server:DrainDelaySeconds"),
        (server(|server| server.max_connections = 0), "Server:MaxConnections"),
        (server(|server| server.host = String::new()), "Server:Host"),
        (server(|server| server.listen = Some("127.0.0.1:0".to_owned())), "Server:Listen"),
        (server(|server| server.listen = Some("5000".to_owned())), "Server:Listen"),
        (server(|server| server.trusted_proxies = vec!["nginx".to_owned()]), "Server:TrustedProxies"),
    ];
    for (told, key) in refused {
        let told = told.unwrap_err();
        assert!(told.starts_with(key), "{key}: {told}");
    }
    let metrics = MetricsSettings { listen: Some("127.0.0.1:0".to_owned()) };
    assert_eq!(metrics.check().unwrap_err().key, "Metrics:Listen");
    for filter in ["info", "INFO", "info,data_plane=debug", "data_plane[request]=trace,warn", "off", "3"] {
        let log = LogSettings { filter: filter.to_owned(), ..LogSettings::default() };
        assert_eq!(log.check(), Ok(()), "{filter}");
    }
    for filter in ["", " ", "infoo", "verbose", "info,data_plane", "data_plane=loud", "information", "=info", ","] {
        let log = LogSettings { filter: filter.to_owned(), ..LogSettings::default() };
        let told = log.check().map_err(|error| error.to_string()).expect_err(filter);
        assert!(told.starts_with("Log:Filter") && told.contains("info"), "{filter}: {told}");
    }
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
