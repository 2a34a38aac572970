//! Tests of the store: what an older build has stored is read by this one, and changes are whole.

mod change;

use std::sync::Arc;

use diesel_async::RunQueryDsl as _;
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use shared::snapshot::{UnsupportedParameters, UpstreamStream};
use tempfile::TempDir;

use super::{Scope, Store, groups};

async fn open(directory: &TempDir) -> Store {
    let key = SealingKey::derive("test", b"a secret of the tests", "tests").unwrap();
    let url = format!("sqlite://{}", directory.path().join("test.db").display());
    Store::open(&url, Arc::new(key), &Tasks::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_before_the_settings_of_translation_keeps_its_meaning() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).await;
    with_tx!(&store, conn => {
        for (id, fake_streaming) in [("streams", 0), ("fakes", 1)] {
            let row = format!(
                "INSERT INTO provider_groups (id, group_name, provider_type, base_url, models, model_aliases, parameter_defaults, \
                 parameter_overrides, balance_policy, retry_count, timeout_ms, rpm_limit, priority, enabled, fake_streaming, \
                 health_check_enabled, proxy_enabled, created_at, updated_at) VALUES ('{id}', '{id}', 'openai', \
                 'https://host/v1', '[]', '{{}}', '{{}}', '{{}}', 'round_robin', 3, 1000, 0, 0, 1, {fake_streaming}, 1, 0, 1, 1)"
            );
            diesel::sql_query(row).execute(conn).await?;
        }
        Ok(())
    })
    .unwrap();
    for (id, stream) in [("streams", UpstreamStream::Auto), ("fakes", UpstreamStream::Never)] {
        let group = groups::get(&store, &Scope::Everything, id).await.unwrap().unwrap().group;
        assert_eq!(
            (group.upstream_stream, group.unsupported_parameters),
            (stream, UnsupportedParameters::Drop),
            "{id}"
        );
        assert!(group.model_facts.is_empty() && group.api_version.is_none());
    }
}
