//! What `--demo` adds: a fake provider in this process, a group that reaches it, and a proxy key.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use control_plane::store::groups::{self, StoredGroup};
use control_plane::store::proxy_keys::{self, StoredProxyKey};
use control_plane::store::{Actor, Page, Scope, Store, StoreError};
use fake_provider::FakeProvider;
use serde_json::Map;
use shared::crypto::{random_token, sha256};
use shared::ids::{Id, new_id};
use shared::secret::{Secret, mask};
use shared::serve::{reachable, who_else_reaches};
use shared::snapshot::{
    BalancePolicy, Group, GroupPolicy, GroupRouting, ProxyKey, ProxyKeyRouting, UnsupportedParameters, UpstreamKey,
    UpstreamKeyRouting, UpstreamStream,
};
use tracing::info;

const NAME: &str = "demo";
const MODEL: &str = "demo-model";

/// The upstream key of the demo's group. It tells the group from one of the same name that someone else has made.
const UPSTREAM_KEY: &str = "sk-fake-provider";

/// The description of the demo's proxy key. It tells the key from one of the same name that someone else has made.
const DESCRIPTION: &str = "Made by --demo at each start";

/// The demo acts for the program itself, which may reach everything.
const SCOPE: Scope = Scope::Everything;

/// The running demo.
pub(crate) struct Demo {
    provider: FakeProvider,
    key: Secret,
}

/// Starts the fake provider if `wanted`, and makes the group and the key anew, with the port and the value of this
/// start. Otherwise disables the group and the key of an earlier start, because any process may have taken the port
/// that the group names.
pub(crate) async fn start_or_disable(store: &Store, wanted: bool) -> Result<Option<Demo>> {
    let actor = Actor { user_id: None, username: "--demo".to_owned(), client_ip: String::new() };
    let earlier = Earlier::find(store).await?;
    if !wanted {
        if earlier.disable(store, &actor).await? {
            info!("the group and the proxy key of an earlier --demo are disabled; --demo makes them anew");
        }
        return Ok(None);
    }
    earlier.remove(store, &actor).await?;
    let provider = FakeProvider::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let group = group(&provider.base_url());
    match groups::create(store, &SCOPE, &group, &actor).await {
        Err(StoreError::Taken { .. }) => bail!("there is a group called {NAME:?} that --demo did not make: rename it"),
        made => made?,
    };
    let value = format!("sk-demo-{}", random_token(24)?);
    match proxy_keys::create(store, &SCOPE, &proxy_key(&value, &group.group.id), &actor).await {
        Err(StoreError::Taken { .. }) => {
            bail!("there is a proxy key called {NAME:?} that --demo did not make: rename it")
        }
        made => made?,
    };
    Ok(Some(Demo { provider, key: value.into() }))
}

/// The groups and proxy keys that earlier starts with `--demo` have left.
struct Earlier {
    groups: Vec<StoredGroup>,
    keys: Vec<StoredProxyKey>,
}

impl Earlier {
    async fn find(store: &Store) -> Result<Self> {
        let mut earlier = Self { groups: Vec::new(), keys: Vec::new() };
        let mut page = Page { limit: 200, cursor: None };
        loop {
            let listed = groups::list(store, &SCOPE, &page).await?;
            earlier.groups.extend(listed.items.into_iter().filter(is_demo_group));
            page.cursor = listed.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        loop {
            let listed = proxy_keys::list(store, &SCOPE, &page).await?;
            earlier.keys.extend(listed.items.into_iter().filter(is_demo_key));
            page.cursor = listed.next_cursor;
            if page.cursor.is_none() {
                return Ok(earlier);
            }
        }
    }

    async fn remove(&self, store: &Store, actor: &Actor) -> Result<()> {
        for stored in &self.keys {
            proxy_keys::delete(store, &SCOPE, &stored.key.id, actor).await?;
        }
        for stored in &self.groups {
            groups::delete(store, &SCOPE, &stored.group.id, actor).await?;
        }
        Ok(())
    }

    /// Disables what is still enabled, and returns whether there was anything.
    async fn disable(self, store: &Store, actor: &Actor) -> Result<bool> {
        let mut changed = false;
        for mut stored in self.groups.into_iter().filter(|stored| stored.group.enabled) {
            stored.group.enabled = false;
            groups::replace(store, &SCOPE, &stored, actor).await?;
            changed = true;
        }
        for mut stored in self.keys.into_iter().filter(|stored| stored.key.enabled) {
            stored.key.enabled = false;
            proxy_keys::replace(store, &SCOPE, &stored, actor).await?;
            changed = true;
        }
        Ok(changed)
    }
}

fn is_demo_group(stored: &StoredGroup) -> bool {
    let group = &stored.group;
    &*group.name == NAME && group.upstream_keys.iter().any(|key| key.secret.expose() == UPSTREAM_KEY)
}

fn is_demo_key(stored: &StoredProxyKey) -> bool {
    &*stored.key.name == NAME && stored.description.as_deref() == Some(DESCRIPTION)
}

fn group(base_url: &str) -> StoredGroup {
    let upstream_key = UpstreamKey {
        id: new_id().into(),
        masked: mask(UPSTREAM_KEY).into(),
        secret: UPSTREAM_KEY.into(),
        enabled: true,
        routing: UpstreamKeyRouting::default(),
    };
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
            routing: GroupRouting::default(),
        },
        proxy_enabled: false,
        created_at: 0,
        updated_at: 0,
    }
}

fn proxy_key(value: &str, group: &Id) -> StoredProxyKey {
    StoredProxyKey {
        key: ProxyKey {
            id: new_id().into(),
            name: NAME.into(),
            digest: sha256(value.as_bytes()),
            enabled: true,
            allowed_groups: vec![Arc::clone(group)],
            allowed_models: Vec::new(),
            group_policy: GroupPolicy::default(),
            group_weights: BTreeMap::new(),
            rpm_limit: 0,
            tpm_limit: 0,
            concurrency_limit: 0,
            expires_at_ms: None,
            routing: ProxyKeyRouting::default(),
        },
        masked: mask(value),
        description: Some(DESCRIPTION.to_owned()),
        usage_count: 0,
        last_used_at: None,
        created_at: 0,
        updated_at: 0,
    }
}

impl Demo {
    /// A command to try the demo with, which works when it is pasted into a shell.
    pub(crate) fn instructions(&self, http: SocketAddr) -> String {
        let (http, others) = (reachable(http), who_else_reaches(http));
        format!(
            "Demo: a fake provider answers for the model \"{MODEL}\". Try it{others}:\n\n  \
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
