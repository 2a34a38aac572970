//! A control plane of a few lines, on loopback, that does what a test tells it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shared::drain::Tasks;
use shared::pb;
use shared::pb::config_service_server::{ConfigService, ConfigServiceServer};
use shared::pb::control_message::Message as FromControl;
use shared::pb::node_message::Message as ToControl;
use shared::pb::usage_service_server::{UsageService, UsageServiceServer};
use shared::secret::Secret;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::transport::server::{Server, TcpIncoming};
use tonic::{Request, Response, Status, Streaming};

use crate::link::Link;

pub(crate) const TOKEN: &str = "a-node-token-of-more-than-32-bytes";

/// Far longer than anything takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// One config stream, as the control plane sees it.
pub(crate) struct NodeStream {
    pub(crate) from_node: Streaming<pb::NodeMessage>,
    pub(crate) to_node: mpsc::Sender<Result<pb::ControlMessage, Status>>,
}

/// What happens to usage.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every id in the order of arrival, twice where it came twice.
    pub(crate) ids: Vec<String>,
    pub(crate) streams: usize,
    pub(crate) batches: usize,
    /// Each stream is cut after so many batches; 0 is never.
    pub(crate) cut_after: usize,
    /// Every so manieth batch is taken and not acked, and the stream is cut; 0 is never.
    pub(crate) lose_ack: usize,
    /// Nothing is acked.
    pub(crate) silent: bool,
}

/// A server with threads of its own, so that it can be made to vanish.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    streams: mpsc::Receiver<NodeStream>,
    runtime: Option<Runtime>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Arc::default())
    }

    /// Starts at a given address, as a server does that comes back.
    pub(crate) fn start_at(address: SocketAddr, ledger: Arc<Mutex<Ledger>>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, streams) = mpsc::channel(16);
        let control = TestControl { streams: sender, ledger: Arc::clone(&ledger) };
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(TcpListener::from_std(listener).unwrap()).with_nodelay(Some(true));
            Server::builder()
                .add_service(ConfigServiceServer::new(control.clone()))
                .add_service(UsageServiceServer::new(control))
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self { address, ledger, streams, runtime: Some(runtime) }
    }

    /// Ends it with all its connections. Gives what is needed to start it again.
    pub(crate) async fn vanish(mut self) -> (SocketAddr, Arc<Mutex<Ledger>>) {
        let runtime = self.runtime.take().unwrap();
        Tasks::new().spawn_blocking(move || runtime.shutdown_timeout(LONG)).await.unwrap();
        (self.address, Arc::clone(&self.ledger))
    }

    pub(crate) fn link(&self, token: &str) -> Link {
        link_to(self.address, token)
    }

    /// The next config stream that a node opens, and its Hello.
    pub(crate) async fn accept(&mut self) -> (NodeStream, pb::Hello) {
        let mut stream = tokio::time::timeout(LONG, self.streams.recv()).await.unwrap().unwrap();
        let Some(ToControl::Hello(hello)) = stream.receive().await else { panic!("the first message is a Hello") };
        (stream, hello)
    }
}

/// A link to whatever listens on `address`.
pub(crate) fn link_to(address: SocketAddr, token: &str) -> Link {
    let url = format!("http://{address}");
    let endpoint = Endpoint::from_shared(url.clone()).unwrap();
    Link::new(endpoint.connect_lazy(), &url, &Secret::new(token)).unwrap()
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl NodeStream {
    pub(crate) async fn send(&self, message: FromControl) {
        self.to_node.send(Ok(pb::ControlMessage { message: Some(message) })).await.unwrap();
    }

    /// The next message; none when the node has ended the stream.
    pub(crate) async fn receive(&mut self) -> Option<ToControl> {
        tokio::time::timeout(LONG, self.from_node.message()).await.unwrap().ok().flatten()?.message
    }

    /// The next message that is no load report.
    pub(crate) async fn receive_answer(&mut self) -> Option<ToControl> {
        loop {
            match self.receive().await {
                Some(ToControl::Load(_)) => {}
                other => return other,
            }
        }
    }
}

#[derive(Clone)]
struct TestControl {
    streams: mpsc::Sender<NodeStream>,
    ledger: Arc<Mutex<Ledger>>,
}

fn authorized<T>(request: &Request<T>) -> Result<(), Status> {
    let expected = format!("Bearer {TOKEN}");
    match request.metadata().get("authorization") {
        Some(given) if given.as_bytes() == expected.as_bytes() => Ok(()),
        _ => Err(Status::unauthenticated("not the node token")),
    }
}

#[tonic::async_trait]
impl ConfigService for TestControl {
    type StreamStream = ReceiverStream<Result<pb::ControlMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<pb::NodeMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        authorized(&request)?;
        let (to_node, receiver) = mpsc::channel(64);
        let stream = NodeStream { from_node: request.into_inner(), to_node };
        self.streams.send(stream).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl UsageService for TestControl {
    type ReportStream = ReceiverStream<Result<pb::UsageAck, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<pb::UsageBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        authorized(&request)?;
        let (acks, receiver) = mpsc::channel(64);
        let (ledger, mut batches) = (Arc::clone(&self.ledger), request.into_inner());
        ledger.lock().unwrap().streams += 1;
        tokio::runtime::Handle::current().spawn(async move {
            let mut seen = 0;
            while let Ok(Some(batch)) = batches.message().await {
                seen += 1;
                assert_eq!(batch.sequence, seen, "sequences count up within a stream");
                let (lose, cut, silent) = {
                    let mut ledger = ledger.lock().unwrap();
                    ledger.batches += 1;
                    ledger.ids.extend(batch.records.into_iter().map(|record| record.id));
                    let lose = ledger.lose_ack > 0 && ledger.batches.is_multiple_of(ledger.lose_ack);
                    (lose, ledger.cut_after > 0 && seen >= ledger.cut_after as u64, ledger.silent)
                };
                if lose {
                    return;
                }
                if !silent && acks.send(Ok(pb::UsageAck { sequence: seen })).await.is_err() {
                    return;
                }
                if cut {
                    let _ = acks.send(Err(Status::unavailable("cut"))).await;
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
