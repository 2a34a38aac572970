use super::register_process;
use crate::telemetry::Metrics;

#[test]
fn a_process_says_what_it_is_and_what_it_holds() {
    let metrics = Metrics::new();
    register_process(&metrics, "some-program", "1.2.3");
    let text = metrics.encode().unwrap();
    assert!(text.contains("orchestration_build_info{program=\"some-program\",version=\"1.2.3\"} 1"), "{text}");
    for (name, least) in [
        ("process_start_time_seconds", 1.6e9),
        ("process_resident_memory_bytes", 1e5),
        ("process_open_fds", 3.0),
        ("process_max_fds", 3.0),
        ("process_cpu_seconds_total", 0.0),
    ] {
        let name = format!("orchestration_{name}");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '));
        let value: f64 = value.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap();
        assert!(value >= least, "{name} is {value}");
    }
}
