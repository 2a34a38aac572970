//! An error in the neutral form, from which the error of every client API is written.

use std::borrow::Cow;
use std::time::Duration;

use translation::ir::{ErrorKind, ProviderError};

use super::GatewayError;

impl GatewayError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotReady
            | Self::NoUpstream { .. }
            | Self::Failing
            | Self::Draining
            | Self::Busy(_)
            | Self::UploadsFull
            | Self::AllOut { limited: false, .. } => ErrorKind::Overloaded,
            Self::AllOut { limited: true, .. } | Self::Limited(_) => ErrorKind::RateLimited,
            Self::MissingKey { .. } | Self::InvalidKey => ErrorKind::Authentication,
            Self::ModelNotFound { .. } | Self::UnknownRoute { .. } | Self::NoGroup { .. } => ErrorKind::NotFound,
            Self::Forbidden(_) => ErrorKind::PermissionDenied,
            Self::BodyTooLarge { .. } | Self::ConversationTooLarge { .. } => ErrorKind::TooLarge,
            Self::Timeout => ErrorKind::Timeout,
            Self::Credentials { .. } | Self::Token(_) => ErrorKind::UpstreamAuthentication,
            Self::Connect(_) | Self::Cut | Self::Unusable(_) | Self::Loop | Self::Internal(_) | Self::DiskFull => {
                ErrorKind::Server
            }
            Self::Provider(error) => error.kind,
            _ => ErrorKind::InvalidRequest,
        }
    }

    fn param(&self) -> Option<String> {
        match self {
            Self::ModelNotFound { .. } => Some("model".to_owned()),
            Self::Field { param, .. } => param.clone(),
            Self::Translate(error) => error.param.clone(),
            Self::Unsupported { field, .. } => Some(field.clone()),
            _ => None,
        }
    }

    /// The error in the neutral form, from which the error of every client API is written.
    pub fn neutral(&self) -> ProviderError {
        if let Self::Provider(error) = self {
            return (**error).clone();
        }
        let retry_after = match self {
            Self::AllOut { pause, .. } => Some((*pause).max(Duration::from_secs(1))),
            Self::Limited(reached) => Some(reached.pause.max(Duration::from_secs(1))),
            // Another request has the one test of what is left alone, and knows more in a moment.
            Self::Failing => Some(Duration::from_secs(1)),
            _ => None,
        };
        ProviderError {
            retry_after,
            status: self.status().as_u16(),
            code: Some(Cow::Borrowed(self.code())),
            param: self.param(),
            ..ProviderError::new(self.kind(), self.to_string())
        }
    }

    /// The same for the end of a stream that has begun.
    pub fn in_stream(&self) -> ProviderError {
        if matches!(self, Self::Cut) { ProviderError::truncated() } else { self.neutral() }
    }
}
