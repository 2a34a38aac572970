//! What the control plane counts of its requests and of its database.

use axum::http::Method;
use serde_json::Value;
use shared::drain::Tasks;
use shared::health::Readiness;
use shared::telemetry::Metrics;

use super::{PASSWORD, Plane, group};
use crate::store::tests::database::TestDatabase;
use crate::{ControlPlane, ControlPlaneSettings};

#[tokio::test]
async fn requests_are_counted_by_route_and_the_database_by_what_it_does() {
    let database = TestDatabase::sqlite();
    let data_directory = database.directory.path().to_owned();
    let mut settings = ControlPlaneSettings { data_directory, ..ControlPlaneSettings::default() };
    settings.database.url = Some(database.url.as_str().into());
    settings.auth.password = Some(PASSWORD.into());
    let (metrics, tasks) = (Metrics::new(), Tasks::new());
    let control = ControlPlane::start(settings, &metrics, &Readiness::new("test"), &tasks).await.unwrap();
    let router = control.router().fallback_service(control.fallback());
    let plane = Plane { control, router, database };
    let token = plane.login("admin").await;
    let made = plane.call(Method::POST, "/admin/groups", &token, &group("g")).await;
    let path = format!("/admin/groups/{}", made.json()["id"].as_str().unwrap());
    plane.get(&path, &token).await;
    plane.get("/admin/groups/an-id-of-a-clients-choice", &token).await;
    plane.get("/a/path/of/a/clients/choice", "").await;
    plane.call(Method::from_bytes(b"INVENTED").unwrap(), "/admin/groups", &token, &Value::Null).await;
    let text = metrics.encode().unwrap();
    for sample in [
        r#"admin_requests_total{method="POST",route="/auth/login",status="2xx"} 1"#,
        r#"admin_requests_total{method="POST",route="/admin/groups",status="2xx"} 1"#,
        r#"admin_requests_total{method="GET",route="/admin/groups/{id}",status="2xx"} 1"#,
        r#"admin_requests_total{method="GET",route="/admin/groups/{id}",status="4xx"} 1"#,
        r#"admin_requests_total{method="GET",route="none",status="4xx"} 1"#,
        r#"admin_requests_total{method="other",route="/admin/groups",status="4xx"} 1"#,
        r#"admin_request_duration_seconds_count{method="POST",route="/admin/groups"} 1"#,
        "database_pool_size 7",
        "database_pool_waiting 0",
        "database_pool_timeouts_total 0",
    ] {
        assert!(text.contains(&format!("orchestration_{sample}\n")), "{sample} in {text}");
    }
    assert!(!text.contains("choice") && !text.contains("INVENTED"), "what a client invents is no label: {text}");
    let counted = text.lines().find_map(|line| line.strip_prefix("orchestration_database_query_seconds_count "));
    assert!(counted.unwrap().parse::<u64>().unwrap() > 0, "{text}");
}
