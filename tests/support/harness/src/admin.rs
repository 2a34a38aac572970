//! The admin REST API.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hyper::Method;
use serde_json::{Value, json};

use crate::http::{Answer, Connection, json as json_request};
use crate::wait;

/// A proxy key as it was made.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// What a client sends.
    pub value: String,
}

/// A logged-in client of the admin API.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
    token: String,
}

impl Admin {
    /// Logs in at `address`.
    ///
    /// # Errors
    /// When the login is refused.
    pub async fn login(address: SocketAddr, username: &str, password: &str) -> Result<Self> {
        let body = json!({ "username": username, "password": password });
        let answer = Connection::to(address).fetch(json_request(Method::POST, "/auth/login", "", &body)?).await?;
        let token = answer.json()["token"].as_str().map(str::to_owned);
        let token = token.with_context(|| format!("login answers {}: {}", answer.status, answer.text()))?;
        Ok(Self { address, token })
    }

    /// The token of the login.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request. A body of null is left out.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Answer> {
        let request = if body.is_null() {
            crate::http::bare(method, path, &self.token)?
        } else {
            json_request(method, path, &self.token, body)?
        };
        Connection::to(self.address).fetch(request).await
    }

    /// Sends a request that must succeed, and returns the body.
    ///
    /// # Errors
    /// When it does not succeed.
    pub async fn ok(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let answer = self.send(method.clone(), path, body).await?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} answers {}: {}", answer.status, answer.text());
        }
        Ok(answer.json())
    }

    /// `GET path`, which must succeed.
    ///
    /// # Errors
    /// When it does not succeed.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.ok(Method::GET, path, &Value::Null).await
    }

    /// Makes a group and returns its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_group(&self, group: &Value) -> Result<String> {
        let made = self.ok(Method::POST, "/admin/groups", group).await?;
        made["id"].as_str().map(str::to_owned).with_context(|| format!("no id in {made}"))
    }

    /// Makes a proxy key.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn create_key(&self, key: &Value) -> Result<Key> {
        let made = self.ok(Method::POST, "/admin/proxy-keys", key).await?;
        let field = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in {made}"));
        Ok(Key { id: field("id")?, value: field("key")? })
    }

    /// All usage records, newest first, page by page.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn logs(&self) -> Result<Vec<Value>> {
        self.pages("/admin/logs", 200).await
    }

    /// All items of a list, page by page.
    ///
    /// # Errors
    /// When a page cannot be read.
    pub async fn pages(&self, path: &str, limit: usize) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let from = if cursor.is_empty() { String::new() } else { format!("&cursor={cursor}") };
            let mut page = self.get(&format!("{path}?limit={limit}{from}")).await?;
            let Value::Array(more) = page["items"].take() else { bail!("{path}: no items in {page}") };
            items.extend(more);
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return Ok(items),
            }
        }
    }

    /// Waits until there are `count` usage records, and returns them.
    ///
    /// # Errors
    /// When there are fewer after `deadline`, or more at any time.
    pub async fn wait_for_logs(&self, count: usize, deadline: Duration) -> Result<Vec<Value>> {
        let mut seen = 0;
        let logs = wait::until_async("all usage records are in the ledger", deadline, async || {
            let logs = self.logs().await.ok()?;
            seen = logs.len();
            (seen >= count).then_some(logs)
        })
        .await
        .with_context(|| format!("{seen} records of {count}"))?;
        if logs.len() > count {
            bail!("{} usage records instead of {count}", logs.len());
        }
        Ok(logs)
    }
}
