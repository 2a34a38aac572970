//! The fake provider as a program of its own.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use fake_provider::{DEFAULT_JOURNAL, FakeProvider};

/// A stand-in for OpenAI, Azure OpenAI, Anthropic and Gemini. Scripts: POST /_fake/script; what was received: GET
/// /_fake/journal.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen; port 0 is a free one.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// How many requests to remember; 0 is the cheapest.
    #[arg(long, default_value_t = DEFAULT_JOURNAL)]
    journal: usize,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let provider = FakeProvider::with_journal(arguments.listen, arguments.journal).await?;
    announce(&provider);
    shared::drain::termination_signal().await?;
    // Streams that are still open are closed, so that a caller that waits for the exit does not wait longer.
    let _in_time = tokio::time::timeout(Duration::from_secs(6), provider.stop()).await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "whoever starts it with port 0 reads the address here")]
fn announce(provider: &FakeProvider) {
    println!("fake provider on {}", provider.base_url());
}
