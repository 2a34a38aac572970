//! The gRPC server that nodes connect to.
//!
//! - [`config_stream`]: config down, acks up, one stream for each node.
//! - [`registry`]: which nodes there are, and how to reach them; [`view`] is what the admin API shows of them.
//! - `key_states`: what nodes learnt about upstream keys.
//! - [`usage_ingest`]: usage records into the ledger.

pub mod config_stream;
mod key_states;
pub mod registry;
pub mod usage_ingest;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use shared::crypto::{constant_time_eq, sha256};
use shared::drain::Tasks;
use shared::pb::config_service_server::ConfigServiceServer;
use shared::pb::usage_service_server::UsageServiceServer;
use shared::secret::Secret;
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Interceptor, Routes};
use tonic::transport::Server;
use tonic::{Request, Status};

use self::config_stream::ConfigStreams;
use self::registry::NodeRegistry;
use self::usage_ingest::UsageIngest;
use crate::ledger::Ledger;
use crate::snapshot::publish::Publisher;

/// The longest message in either direction, in bytes. A whole snapshot is one message.
pub const MAX_MESSAGE: usize = 256 * 1024 * 1024;

/// A server that watches its connections: one that does not answer a ping is closed.
pub fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .tcp_keepalive(Some(Duration::from_secs(30)))
        .tcp_nodelay(true)
}

/// The services for nodes. Their streams end when `tasks` stop.
pub fn routes(
    publisher: Arc<Publisher>,
    registry: Arc<NodeRegistry>,
    ledger: Arc<Ledger>,
    node_token: &Secret,
    tasks: &Tasks,
) -> Routes {
    let authenticate = Authenticate::new(node_token);
    let config = ConfigServiceServer::new(ConfigStreams::new(publisher, registry, tasks.clone()))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let usage = UsageServiceServer::new(UsageIngest::new(ledger, tasks.clone()))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    Routes::new(InterceptedService::new(config, authenticate.clone()))
        .add_service(InterceptedService::new(usage, authenticate))
}

/// Lets in whoever shows the node token.
#[derive(Clone)]
struct Authenticate {
    /// SHA-256 of the token. `None` where the token is empty, and then nobody is let in.
    digest: Option<[u8; 32]>,
}

impl Authenticate {
    fn new(node_token: &Secret) -> Self {
        Self { digest: (!node_token.is_empty()).then(|| sha256(node_token.expose().as_bytes())) }
    }
}

impl Interceptor for Authenticate {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        let token = given.and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer").then_some(token));
        match (token, &self.digest) {
            // Digests are compared because they all have one length, so that the time tells nothing of the token's
            // length.
            (Some(token), Some(digest)) if constant_time_eq(&sha256(token.as_bytes()), digest) => Ok(request),
            _ => Err(Status::unauthenticated("the node token is missing or wrong")),
        }
    }
}

#[cfg(test)]
mod tests;
