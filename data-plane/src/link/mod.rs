//! How this node speaks to the control plane: [`Link`] is the way there, [`backoff`] says when to try again.

pub mod backoff;

use std::sync::Arc;

use shared::secret::Secret;
use tonic::metadata::errors::InvalidMetadataValue;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use shared::pb::config_service_client::ConfigServiceClient;
use shared::pb::usage_service_client::UsageServiceClient;

/// Bound of one message, in bytes: config for tens of thousands of keys is far over the default of 4 MiB.
const MAX_MESSAGE_BYTES: usize = 256 * 1024 * 1024;

/// The channel to the control plane and the token that opens it. Clones share both.
#[derive(Clone, Debug)]
pub struct Link {
    channel: Channel,
    url: Arc<str>,
    authorize: Authorize,
}

/// Adds the node token to each call.
#[derive(Clone, Debug)]
pub struct Authorize(MetadataValue<Ascii>);

impl Link {
    /// Speaks over `channel`, with `token`. `url` is where the channel leads, for the log.
    ///
    /// # Errors
    /// When the token holds characters that an HTTP header cannot carry.
    pub fn new(channel: Channel, url: &str, token: &Secret) -> Result<Self, InvalidMetadataValue> {
        let mut value = MetadataValue::try_from(format!("Bearer {}", token.expose()))?;
        value.set_sensitive(true);
        Ok(Self { channel, url: url.into(), authorize: Authorize(value) })
    }

    /// Where the control plane is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn config(&self) -> ConfigServiceClient<InterceptedService<Channel, Authorize>> {
        ConfigServiceClient::with_interceptor(self.channel.clone(), self.authorize.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn usage(&self) -> UsageServiceClient<InterceptedService<Channel, Authorize>> {
        UsageServiceClient::with_interceptor(self.channel.clone(), self.authorize.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }
}

/// Why a call failed, in words. The text that tonic has for it leaves out the cause, such as a refused connection.
pub(crate) fn explain(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = if text.is_empty() { more } else { format!("{text}: {more}") };
        }
        cause = error.source();
    }
    format!("{text} ({:?})", status.code())
}

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
