//! nginx as a plain reverse proxy, which shows what a request costs that is only passed on.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use harness::process::{Launch, Process};
use harness::{ports, wait};

/// A running nginx.
#[derive(Debug)]
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The master and its workers.
    pub(crate) pids: Vec<u32>,
    _master: Process,
}

impl Nginx {
    /// Starts an nginx that passes everything on to `upstream`. It has a worker for each core, keeps connections alive
    /// on both sides, and writes one line a request, as the gateway does.
    pub(crate) async fn start(directory: &Path, upstream: SocketAddr, workers: usize) -> Result<Self> {
        let address = ports::free()?;
        let place = directory.display();
        let config = format!(
            "worker_processes {workers};
daemon off;
pid {place}/nginx.pid;
error_log {place}/nginx.error;
events {{ worker_connections 8192; }}
http {{
    access_log {place}/nginx.access;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    keepalive_requests 1000000000;
    upstream provider {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_buffering off;
        }}
    }}
}}
"
        );
        let file = directory.join("nginx.conf");
        std::fs::write(&file, config)?;
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        let launch = Launch {
            name: "nginx".to_owned(),
            program: program.context("nginx is not installed")?.into(),
            arguments: vec![
                "-c".to_owned(),
                file.display().to_string(),
                "-e".to_owned(),
                format!("{place}/nginx.error"),
            ],
            environment: Vec::new(),
            directory: directory.to_owned(),
            log: directory.join("nginx.log"),
        };
        let master = launch.start()?;
        let id = master.id()?;
        let pids = wait::until("nginx has its workers", Duration::from_secs(10), || {
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
            let children: Vec<u32> = children.split_whitespace().filter_map(|child| child.parse().ok()).collect();
            (children.len() >= workers).then_some(children)
        })
        .await?;
        Ok(Self { address, pids, _master: master })
    }
}
