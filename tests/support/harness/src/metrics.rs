//! The text of `/metrics`, and what tests read in it.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use hyper::Method;

use crate::http::{Connection, bare};

/// One scrape.
#[derive(Debug)]
pub struct Scrape(String);

impl Scrape {
    /// Scrapes the listener at `address`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn of(address: SocketAddr) -> Result<Self> {
        let answer = Connection::to(address).fetch(bare(Method::GET, "/metrics", "")?).await?;
        if answer.status != 200 {
            bail!("/metrics answers {}", answer.status);
        }
        Ok(Self(answer.text()))
    }

    /// The sum of all samples whose name contains `name`, or nothing if there is none. A part of the name is enough,
    /// because a counter's samples carry a suffix.
    pub fn sum(&self, name: &str) -> Option<f64> {
        let samples: Vec<f64> = self
            .0
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let (key, value) = line.rsplit_once(' ')?;
                key.split('{').next()?.contains(name).then(|| value.parse().ok())?
            })
            .collect();
        (!samples.is_empty()).then(|| samples.iter().sum())
    }

    /// The text as it was scraped.
    pub fn text(&self) -> &str {
        &self.0
    }
}
