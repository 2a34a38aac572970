//! Why a config stream ends, and whether it was one.

use std::time::Duration;

use tonic::{Code, Response, Status};

use crate::link::explain;

/// Why a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("{}", explain(.0))]
    Refused(#[from] Status),
    #[error("the control plane closed the stream")]
    Closed,
    #[error("no answer within {0:?}")]
    Silent(Duration),
    #[error(
        "what answers there does not speak gRPC: a control plane does so on a port of its own, 5001 unless it is set otherwise"
    )]
    NotGrpc,
    #[error("a whole snapshot is needed")]
    WrongBase,
}

impl Ended {
    /// Whether the control plane answers and does not take the node token.
    pub(super) fn refuses_token(&self) -> bool {
        matches!(self, Self::Refused(status) if status.code() == Code::Unauthenticated)
    }
}

/// Whether `answer` is one of a gRPC server. Any web server answers a call, with a page that says that it has no such
/// path.
pub(super) fn speaks_grpc<T>(answer: &Response<T>) -> bool {
    let kind = answer.metadata().get("content-type").and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}
