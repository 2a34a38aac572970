//! Tests of the store: what an older build has stored is read by this one, changes are whole, lists are in order, and
//! what is wrong with a database is told.

mod change;
mod costs;
mod cut;
pub(crate) mod database;
mod file;
mod health_checks;
mod job_leases;
mod key_states;
mod lists;
mod repricing;
mod totals;

use std::sync::Arc;

use diesel_async::RunQueryDsl as _;
use shared::crypto::SealingKey;
use shared::drain::Tasks;
use shared::snapshot::{UnsupportedParameters, UpstreamStream};

use self::database::TestDatabase;
use super::{Actor, Scope, Store, groups};

const SCOPE: &Scope = &Scope::Everything;

async fn open(database: &TestDatabase) -> Store {
    let key = SealingKey::derive("test", b"a secret of the tests", "tests").unwrap();
    Store::open(&database.url, Arc::new(key), &Tasks::new()).await.unwrap()
}

fn actor() -> Actor {
    Actor { user_id: None, username: "tester".to_owned(), client_ip: "127.0.0.1".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_before_the_settings_of_translation_keeps_its_meaning() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    with_tx!(&store, conn => {
        for (id, fake_streaming) in [("streams", "FALSE"), ("fakes", "TRUE")] {
            let row = format!(
                "INSERT INTO provider_groups (id, group_name, provider_type, base_url, models, model_aliases, parameter_defaults, \
                 parameter_overrides, balance_policy, retry_count, timeout_ms, rpm_limit, priority, enabled, fake_streaming, \
                 health_check_enabled, proxy_enabled, created_at, updated_at) VALUES ('{id}', '{id}', 'openai', \
                 'https://host/v1', '[]', '{{}}', '{{}}', '{{}}', 'round_robin', 3, 1000, 0, 0, TRUE, {fake_streaming}, TRUE, \
                 FALSE, 1, 1)"
            );
            diesel::sql_query(row).execute(conn).await?;
        }
        Ok(())
    })
    .unwrap();
    for (id, stream) in [("streams", UpstreamStream::Auto), ("fakes", UpstreamStream::Never)] {
        let group = groups::get(&store, SCOPE, id).await.unwrap().unwrap().group;
        assert_eq!(
            (group.upstream_stream, group.unsupported_parameters),
            (stream, UnsupportedParameters::Drop),
            "{id}"
        );
        assert!(group.model_facts.is_empty() && group.api_version.is_none());
    }
}
