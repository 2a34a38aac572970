use std::time::Duration;

use super::*;

fn load(variables: &[(&str, &str)]) -> ControlPlaneSettings {
    let variables = variables
        .iter()
        .map(|(key, value)| (format!("OrchestrationApi__{}", key.replace(':', "__")), (*value).to_owned()));
    let loader = Loader::new::<ControlPlaneSettings>(ELSEWHERE).environment(variables).unwrap();
    loader.load::<ControlPlaneSettings>().unwrap().settings
}

fn url(variables: &[(&str, &str)]) -> String {
    load(variables).database_url().unwrap().expose().to_owned()
}

#[test]
fn defaults_are_as_documented() {
    let settings = load(&[]);
    assert_eq!(settings.server.address(PORTS), "0.0.0.0:5000");
    assert_eq!(settings.grpc.listen, "0.0.0.0:5001");
    assert_eq!(settings.metrics.address(PORTS).as_deref(), Some("127.0.0.1:5002"));
    assert_eq!(settings.auth.session_timeout, 86_400);
    assert_eq!(url(&[]), "sqlite://./data/orchestration_api.db");
    assert_eq!(settings.server.limits().unwrap().header_timeout, Duration::from_secs(65));
}

#[test]
fn listen_wins_over_host_and_port() {
    assert_eq!(load(&[("Server:Host", "127.0.0.1"), ("Server:Port", "1")]).server.address(PORTS), "127.0.0.1:1");
    assert_eq!(load(&[("Server:Host", "::1"), ("Server:Port", "1")]).server.address(PORTS), "[::1]:1");
    assert_eq!(load(&[("Server:Port", "1"), ("Server:Listen", "0.0.0.0:2")]).server.address(PORTS), "0.0.0.0:2");
}

#[test]
fn durations_may_be_fractions_but_not_negative() {
    let settings = load(&[("Server:DrainDelaySeconds", "0.1")]);
    assert_eq!(settings.server.drain_delay(), Ok(Duration::from_millis(100)));
    let error = load(&[("Server:DrainDelaySeconds", "-1")]).server.drain_delay().unwrap_err();
    assert_eq!(error.key, "Server:DrainDelaySeconds");
}

#[test]
fn the_originals_connection_strings_become_urls() {
    assert_eq!(
        url(&[("Database:Type", "sqlite"), ("Database:ConnectionString", "Data Source=Data/x.db")]),
        "sqlite://Data/x.db"
    );
    assert_eq!(
        url(&[
            ("Database:Type", "MySQL"),
            ("Database:MySqlConnectionString", "Server=db;Port=3307;Database=orch;Uid=me;Pwd=p@ss/1;CharSet=utf8mb4;")
        ]),
        "mysql://me:p%40ss%2F1@db:3307/orch"
    );
    assert_eq!(
        url(&[
            ("Database:Type", "postgres"),
            ("Database:PostgresConnectionString", "Host=db;Database=orch;Username=me")
        ]),
        "postgres://me@db:5432/orch"
    );
    assert_eq!(url(&[("Database:Url", "mysql://x"), ("Database:Type", "sqlite")]), "mysql://x");
    let error = load(&[("Database:Type", "oracle")]).database_url().unwrap_err();
    assert_eq!(error.to_string(), "Database:Type is \"oracle\"; it must be sqlite, mysql or postgres");
}

#[test]
fn settings_that_cannot_be_meant_are_refused_by_their_keys() {
    for (key, value) in [
        ("Grpc:Listen", "5001"),
        ("Grpc:Listen", "127.0.0.1:0"),
        ("DataDirectory", ""),
        ("Database:Url", "oracle://x"),
        ("Database:Url", "x.db"),
        ("Database:Url", "sqlite://"),
        ("Database:Url", "mysql://"),
        ("Database:Type", "oracle"),
    ] {
        assert_eq!(load(&[(key, value)]).check().unwrap_err().key, key, "{value}");
    }
    assert_eq!(load(&[]).check(), Ok(()));
    let port = |value: &str| {
        let variables = [("OrchestrationApi__Server__Port".to_owned(), value.to_owned())];
        ControlPlaneSettings::load(&Flags::default(), variables).map(|_| ()).map_err(|error| error.to_string())
    };
    for value in ["0", "-1", "65536"] {
        let told = port(value).unwrap_err();
        assert!(told.starts_with("Server:Port: must be a port from 1 to 65535"), "{told}");
    }
    assert_eq!(port("65535"), Ok(()));
}

#[test]
fn sections_of_the_data_plane_may_stand_in_the_same_file() {
    let variables = [("OrchestrationApi__Limits__MaxBodyBytes".to_owned(), "1".to_owned())];
    assert!(ControlPlaneSettings::load(&Flags::default(), variables).is_ok());
    let typo = [("OrchestrationApi__Auth__Pasword".to_owned(), "1".to_owned())];
    let error = ControlPlaneSettings::load(&Flags::default(), typo).unwrap_err().to_string();
    assert!(error.contains("Auth:Password"), "{error}");
}

#[test]
fn a_printed_settings_struct_shows_no_secret() {
    let settings = load(&[("Auth:Password", "correct-horse"), ("Database:Url", "mysql://u:hunter2@h/d")]);
    let shown = format!("{settings:?}") + &serde_json::to_string(&settings).unwrap();
    assert!(!shown.contains("correct-horse") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_message_names_the_database_and_never_its_password() {
    let cases = [
        ("postgres://me:hunter2@db.internal:5433/orch", "database at db.internal:5433"),
        ("mysql://me:hunter2@db.internal/orch?password=hunter2@x", "database at db.internal:3306"),
        ("postgres://me:hun@ter2@[::1]:5432/orch", "database at [::1]:5432"),
        ("mysql://me:hunter2/ter@db/orch", "database"),
        ("mysql://root:hunter2/orch", "database"),
        ("postgres://", "database"),
        ("oracle://hunter2", "database"),
        ("sqlite://data/x.db", "database data/x.db"),
    ];
    for (url, wanted) in cases {
        assert_eq!(database_place(url), wanted, "{url}");
    }
}
