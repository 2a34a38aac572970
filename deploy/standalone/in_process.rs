//! The gRPC channel between the two planes in one process. The protocol is the same, over memory instead of a socket.

use std::io;

use hyper_util::rt::TokioIo;
use shared::drain::Tasks;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tower::service_fn;
use tracing::error;

/// How many bytes each side may be ahead of the other.
const PIPE_BYTES: usize = 256 * 1024;

/// Serves `routes` under `tasks` and returns a channel to them. The channel opens a new pipe when the old one has
/// ended.
pub(crate) fn channel(routes: Routes, tasks: &Tasks) -> Channel {
    let (pipes, incoming) = mpsc::channel::<io::Result<DuplexStream>>(1);
    let stopping = tasks.clone();
    tasks.spawn("in-process gRPC", async move {
        let server = Server::builder().add_routes(routes);
        let stopped = async move { stopping.stopping().await };
        if let Err(error) = server.serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopped).await {
            error!(%error, "in-process gRPC ended");
        }
    });
    Endpoint::from_static("http://in-process").connect_with_connector_lazy(service_fn(move |_: Uri| {
        let pipes = pipes.clone();
        async move {
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            let ended = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "the control plane has stopped");
            pipes.send(Ok(far)).await.map_err(ended)?;
            Ok::<_, io::Error>(TokioIo::new(near))
        }
    }))
}
