//! The gRPC server that nodes connect to.
//!
//! - [`config_stream`]: config down, acks up, one stream for each node.
//! - [`registry`]: which nodes there are, and how to reach them; [`view`] is what the admin API shows of them.
//! - [`key_states`]: what nodes learnt about upstream keys. `probing`: nodes that find out what they say now.
//! - [`usage_ingest`]: usage records into the ledger.
//! - `refusals`: nodes whose token is wrong.

pub mod config_stream;
pub mod key_states;
pub(crate) mod probing;
mod refusals;
pub mod registry;
pub mod usage_ingest;
pub mod view;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::middleware::map_request;
use shared::crypto::{constant_time_eq, sha256};
use shared::descriptors;
use shared::drain::Tasks;
use shared::forwarded::TrustedProxies;
use shared::pb::config_service_server::ConfigServiceServer;
use shared::pb::usage_service_server::UsageServiceServer;
use shared::secret::Secret;
use shared::serve::{ConnectionLimits, Serving};
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Interceptor, Routes};
use tonic::transport::server::TcpConnectInfo;
use tonic::{Request, Status};

use self::config_stream::ConfigStreams;
use self::refusals::Refusals;
use self::registry::NodeRegistry;
use self::usage_ingest::UsageIngest;
use crate::ledger::Ledger;
use crate::snapshot::publish::Publisher;

/// The longest message in either direction, in bytes. A whole snapshot is one message.
pub const MAX_MESSAGE: usize = 256 * 1024 * 1024;

/// How the listener for nodes serves within `limits`: nothing but HTTP/2, and every connection that says nothing has a
/// deadline. A node keeps one stream open as long as it runs, so that a connection without any is none of a node's.
pub fn serving(limits: ConnectionLimits, tasks: Tasks) -> Serving {
    // There are few nodes, and the limit of open files is shared with the listener for HTTP.
    let max_connections = (descriptors::connections() / 4).max(16).min(limits.max_connections);
    let limits = ConnectionLimits { ping_interval: Duration::from_secs(10), max_connections, ..limits };
    Serving { http2_only: true, ..Serving::new(limits, tasks) }
}

/// The `services` for nodes, for [`shared::serve::serve`]. Each request knows the address of its node.
pub fn router(services: Routes) -> Router {
    services.into_axum_router().layer(map_request(|mut request: axum::extract::Request| async {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        request.extensions_mut().insert(TcpConnectInfo { local_addr: None, remote_addr: peer });
        request
    }))
}

/// The services for nodes. Their streams end when `tasks` stop. What `proxies` say of the address of a node that is
/// refused is believed.
pub fn routes(
    publisher: Arc<Publisher>,
    registry: Arc<NodeRegistry>,
    ledger: Arc<Ledger>,
    node_token: &Secret,
    proxies: TrustedProxies,
    tasks: &Tasks,
) -> Routes {
    let authenticate = Authenticate::new(node_token, proxies);
    let config = ConfigServiceServer::new(ConfigStreams::new(Arc::clone(&publisher), registry, tasks.clone()))
        .max_decoding_message_size(MAX_MESSAGE)
        .max_encoding_message_size(MAX_MESSAGE);
    let usage = UsageServiceServer::new(UsageIngest::new(publisher, ledger, tasks.clone()))
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
    proxies: TrustedProxies,
    refusals: Arc<Refusals>,
}

impl Authenticate {
    fn new(node_token: &Secret, proxies: TrustedProxies) -> Self {
        let digest = (!node_token.is_empty()).then(|| sha256(node_token.expose().as_bytes()));
        Self { digest, proxies, refusals: Arc::default() }
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
            (token, _) => {
                let with_token = token.is_some();
                let peer = request.remote_addr().map(|address| address.ip());
                let headers = request.into_parts().0.into_headers();
                self.refusals.note(peer.map(|peer| self.proxies.client(peer, &headers)), with_token);
                Err(Status::unauthenticated("the node token is missing or wrong"))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
