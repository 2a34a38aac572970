//! Streams: how much later the first byte comes than without the gateway, and how much memory an open stream costs.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::load::percentile;

/// The median and the 99th percentile of the time to the first event, for each address. The addresses take turns, one
/// stream after the other.
pub(crate) async fn first_events(targets: &[(SocketAddr, Vec<u8>)], rounds: usize) -> Result<Vec<[Duration; 2]>> {
    let mut clients = Vec::new();
    for (address, _) in targets {
        clients.push((Client::connect(*address).await?, Vec::with_capacity(rounds)));
    }
    for round in 0..rounds + rounds / 10 {
        for ((client, times), (_, request)) in clients.iter_mut().zip(targets) {
            let time = client.first_event(request).await?;
            client.finish().await?;
            // The first rounds warm connections and caches.
            if round >= rounds / 10 {
                times.push(time);
            }
        }
    }
    Ok(clients
        .into_iter()
        .map(|(_, mut times)| {
            times.sort_unstable();
            [percentile(&times, 50), percentile(&times, 99)]
        })
        .collect())
}

/// Opens `count` streams and waits for the first event of each. They end when what is returned is dropped.
pub(crate) async fn open(address: SocketAddr, request: &[u8], count: usize) -> Result<Vec<Client>> {
    let mut opening = JoinSet::new();
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        if opening.len() >= 50
            && let Some(opened) = opening.join_next().await
        {
            open.push(opened??);
        }
        let request = request.to_vec();
        opening.spawn(async move {
            let mut client = Client::connect(address).await?;
            client.first_event(&request).await?;
            anyhow::Ok(client)
        });
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    Ok(open)
}
