//! What `--demo` adds: a fake provider in this process, a group that reaches it, and a proxy key.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use control_plane::store::groups::{self, StoredGroup};
use control_plane::store::proxy_keys::{self, StoredProxyKey};
use control_plane::store::{Actor, Page, Store};
use fake_provider::FakeProvider;
use serde_json::Map;
use shared::crypto::{random_token, sha256};
use shared::ids::new_id;
use shared::secret::{Secret, mask};
use shared::snapshot::{
    BalancePolicy, Group, GroupPolicy, ProxyKey, UnsupportedParameters, UpstreamKey, UpstreamStream,
};

const NAME: &str = "demo";
const MODEL: &str = "demo-model";

/// The running demo.
pub(crate) struct Demo {
    provider: FakeProvider,
    key: Secret,
}

/// Starts the fake provider, and makes the group and the key anew: the provider's port and the key's value are those of this start.
pub(crate) async fn start(store: &Store) -> Result<Demo> {
    let provider = FakeProvider::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let actor = Actor { user_id: None, username: "--demo".to_owned(), client_ip: String::new() };
    remove_earlier(store, &actor).await?;
    groups::create(store, &group(&provider.base_url()), &actor).await?;
    let value = format!("sk-demo-{}", random_token(24)?);
    proxy_keys::create(store, &proxy_key(&value), &actor).await?;
    Ok(Demo { provider, key: value.into() })
}

async fn remove_earlier(store: &Store, actor: &Actor) -> Result<()> {
    let mut page = Page { limit: 200, cursor: None };
    loop {
        let listed = groups::list(store, &page).await?;
        for stored in listed.items.iter().filter(|stored| &*stored.group.name == NAME) {
            groups::delete(store, &stored.group.id, actor).await?;
        }
        page.cursor = listed.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    loop {
        let listed = proxy_keys::list(store, &page).await?;
        for stored in listed.items.iter().filter(|stored| &*stored.key.name == NAME) {
            proxy_keys::delete(store, &stored.key.id, actor).await?;
        }
        page.cursor = listed.next_cursor;
        if page.cursor.is_none() {
            return Ok(());
        }
    }
}

fn group(base_url: &str) -> StoredGroup {
    let secret = "sk-fake-provider";
    let upstream_key =
        UpstreamKey { id: new_id().into(), masked: mask(secret).into(), secret: secret.into(), enabled: true };
    StoredGroup {
        group: Group {
            id: new_id().into(),
            name: NAME.into(),
            provider_type: "openai".into(),
            base_url: base_url.into(),
            upstream_keys: vec![Arc::new(upstream_key)],
            models: vec![MODEL.into()],
            model_aliases: BTreeMap::new(),
            parameter_defaults: Map::new(),
            parameter_overrides: Map::new(),
            headers: BTreeMap::new(),
            balance_policy: BalancePolicy::default(),
            retry_count: 3,
            timeout: Duration::from_mins(1),
            rpm_limit: 0,
            test_model: None,
            priority: 0,
            enabled: true,
            upstream_stream: UpstreamStream::default(),
            unsupported_parameters: UnsupportedParameters::default(),
            model_facts: Map::new(),
            api_version: None,
            health_check_enabled: false,
            outbound_proxy: None,
        },
        proxy_enabled: false,
        created_at: 0,
        updated_at: 0,
    }
}

fn proxy_key(value: &str) -> StoredProxyKey {
    StoredProxyKey {
        key: ProxyKey {
            id: new_id().into(),
            name: NAME.into(),
            digest: sha256(value.as_bytes()),
            enabled: true,
            allowed_groups: Vec::new(),
            allowed_models: Vec::new(),
            group_policy: GroupPolicy::default(),
            group_weights: BTreeMap::new(),
            rpm_limit: 0,
            tpm_limit: 0,
            concurrency_limit: 0,
            expires_at_ms: None,
        },
        masked: mask(value),
        description: Some("Made by --demo at each start".to_owned()),
        usage_count: 0,
        last_used_at: None,
        created_at: 0,
        updated_at: 0,
    }
}

impl Demo {
    /// What to try, as it works when it is pasted.
    pub(crate) fn instructions(&self, http: SocketAddr) -> String {
        format!(
            "Demo: a fake provider answers for the model \"{MODEL}\". Try it:\n\n  \
             curl http://{http}/v1/chat/completions -H 'authorization: Bearer {}' -H 'content-type: application/json' \
             -d '{{\"model\":\"{MODEL}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n",
            self.key.expose()
        )
    }

    /// Stops the fake provider.
    pub(crate) async fn stop(self) {
        self.provider.stop().await;
    }
}
