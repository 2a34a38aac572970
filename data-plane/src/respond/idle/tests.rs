use std::future::poll_fn;
use std::time::Duration;

use tokio::time::Instant;

use super::{IdleTimer, Silence};

#[tokio::test(start_paused = true)]
async fn silence_beats_until_it_is_over() {
    let mut timer = IdleTimer::beating(Duration::from_secs(40), Duration::from_secs(15));
    let start = Instant::now();
    let mut heard = Vec::new();
    loop {
        let silence = poll_fn(|context| timer.poll_silence(context)).await;
        heard.push((start.elapsed().as_secs(), silence));
        if silence == Silence::Over {
            break;
        }
    }
    assert_eq!(heard, [(15, Silence::Beat), (30, Silence::Beat), (40, Silence::Over)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_puts_the_beat_off_and_what_comes_the_end() {
    let mut timer = IdleTimer::beating(Duration::from_secs(40), Duration::from_secs(15));
    let start = Instant::now();
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(!timer.is_fresh());
    timer.touch();
    assert!(timer.is_fresh());
    assert_eq!(poll_fn(|context| timer.poll_silence(context)).await, Silence::Beat);
    assert_eq!(start.elapsed().as_secs(), 15);
    tokio::time::advance(Duration::from_secs(5)).await;
    timer.wrote();
    assert_eq!(poll_fn(|context| timer.poll_silence(context)).await, Silence::Beat);
    assert_eq!(start.elapsed().as_secs(), 35);
    timer.shorten(Duration::from_secs(30));
    assert_eq!(poll_fn(|context| timer.poll_silence(context)).await, Silence::Over);
    assert_eq!(start.elapsed().as_secs(), 40);
}
