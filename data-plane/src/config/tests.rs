use std::time::Duration;

use shared::config::Loader;
use shared::telemetry::LogFormat;

use super::*;

#[test]
fn every_setting_has_a_key_and_a_default() {
    let loaded = Loader::new::<DataPlaneSettings>(ELSEWHERE)
        .environment([
            ("OrchestrationApi__Server__DrainDelaySeconds".to_owned(), "0.25".to_owned()),
            ("OrchestrationApi__Usage__SpoolMaxBytes".to_owned(), "1048576".to_owned()),
            ("OrchestrationApi__Log__Format".to_owned(), "json".to_owned()),
            ("OrchestrationApi__Node__Token".to_owned(), "a-token-from-the-control-plane".to_owned()),
            ("OrchestrationApi__Media__AllowPrivateNetworks".to_owned(), "true".to_owned()),
            ("OrchestrationApi__Database__Url".to_owned(), "sqlite://elsewhere".to_owned()),
        ])
        .unwrap()
        .flag("Node:Id", Some("node-1"))
        .unwrap()
        .load::<DataPlaneSettings>()
        .unwrap();
    let settings = loaded.settings;
    assert_eq!(settings.server.drain_delay().unwrap(), Duration::from_millis(250));
    assert_eq!(settings.server.address(PORTS), "0.0.0.0:8080");
    assert_eq!(settings.usage.limits().max_bytes, 1024 * 1024);
    assert_eq!(settings.usage.limits().segment_bytes, 4 * 1024 * 1024);
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.node.token().unwrap().expose(), "a-token-from-the-control-plane");
    assert_eq!(settings.node.id, "node-1");
    let limits = settings.limits().unwrap();
    assert_eq!(limits.max_body_bytes, 33_554_432);
    assert_eq!(limits.media, MediaPolicy { fetch: true, private_networks: true });
    assert_eq!(limits.max_upload_bytes, 536_870_912);
}

#[test]
fn host_and_port_stand_in_for_the_listen_address() {
    let mut server = ServerSettings { port: std::num::NonZeroU16::new(9000), ..ServerSettings::default() };
    assert_eq!(server.address(PORTS), "0.0.0.0:9000");
    server.host = "::1".to_owned();
    assert_eq!(server.address(PORTS), "[::1]:9000");
    server.listen = Some("127.0.0.1:1".to_owned());
    assert_eq!(server.address(PORTS), "127.0.0.1:1");
}

#[test]
fn a_time_that_is_none_is_refused_by_its_key() {
    let server = ServerSettings { drain_delay_seconds: -1.0, ..ServerSettings::default() };
    assert!(server.drain_delay().unwrap_err().to_string().contains("Server:DrainDelaySeconds"));
}

#[test]
fn the_token_comes_from_a_file_where_it_is_not_given() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node-token");
    std::fs::write(&path, "a-token\n").unwrap();
    let mut node = NodeSettings { token_file: path.display().to_string(), ..NodeSettings::default() };
    assert_eq!(node.token().unwrap().expose(), "a-token");
    std::fs::write(&path, "\n").unwrap();
    assert!(node.token().is_err());
    node.token_file = String::new();
    assert!(node.token().unwrap_err().to_string().contains("Node:TokenFile"));
}

#[test]
fn a_control_plane_that_cannot_be_reached_by_its_url_is_refused() {
    let told = |url: &str| {
        let node = NodeSettings { control_plane_url: url.to_owned(), ..NodeSettings::default() };
        node.control_plane().map(str::to_owned).map_err(|error| error.to_string())
    };
    assert_eq!(told("http://10.0.0.1:5001"), Ok("http://10.0.0.1:5001".to_owned()));
    assert_eq!(told(" https://control.example "), Ok("https://control.example".to_owned()));
    let refused = told("127.0.0.1:5001").unwrap_err();
    assert!(refused.contains("--control-url") && refused.contains("such as http://127.0.0.1:5001"), "{refused}");
    for url in ["", "ftp://a:1", "http://", "http://a b", "http://me:hunter2@a:1"] {
        assert!(told(url).unwrap_err().contains("Node:ControlPlaneUrl"), "{url}");
    }
    assert!(!told("http://me:hunter2@a:1").unwrap_err().contains("hunter2"));
}

#[test]
fn settings_that_cannot_be_meant_are_refused_by_their_keys() {
    let check = |key: &str, value: &str| {
        let loaded = Loader::new::<DataPlaneSettings>(ELSEWHERE).flag(key, Some(value)).unwrap();
        loaded.load::<DataPlaneSettings>().unwrap().settings.check()
    };
    for (key, value) in [
        ("DataDirectory", " "),
        ("Limits:MaxBodyBytes", "0"),
        ("Limits:MaxRequestsInFlight", "0"),
        ("Limits:MaxUploadBytes", "0"),
        ("Limits:BodyTimeoutSeconds", "0"),
        ("Limits:RequestTimeoutSeconds", "0"),
        ("Limits:StreamIdleTimeoutSeconds", "0"),
        ("Limits:StreamIdleTimeoutSeconds", "-1"),
        ("Limits:RequestTimeoutSeconds", "1e18"),
        ("Usage:SegmentBytes", "0"),
        ("Usage:SpoolMaxBytes", "0"),
        ("Usage:SpoolMaxBytes", "4096"),
        ("Usage:QueueCapacity", "0"),
        ("Node:Token", "your-node-token"),
    ] {
        let error = check(key, value).unwrap_err();
        assert!(error.key == key && ["must be", "is "].iter().any(|start| error.problem.starts_with(start)), "{error}");
    }
    assert_eq!(check("Node:Id", &"n".repeat(129)).unwrap_err().key, "Node:Id");
    assert_eq!(check("Limits:RequestTimeoutSeconds", "0.5"), Ok(()));
}

#[test]
fn the_way_to_another_machine_without_tls_is_plain_text() {
    let plain =
        |url: &str| NodeSettings { control_plane_url: url.to_owned(), ..NodeSettings::default() }.is_plain_text();
    for url in ["http://10.0.0.1:5001", "http://control.example:5001", "http://[2001:db8::1]:5001"] {
        assert!(plain(url), "{url}");
    }
    for url in [
        "https://10.0.0.1:5001",
        "http://127.0.0.2:5001",
        "http://localhost:5001",
        "http://[::1]:5001",
        "in this process",
    ] {
        assert!(!plain(url), "{url}");
    }
}
