//! Whose code runs: the clock of its machine, and the request that it serves. True time is that of the paused runtime.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use shared::time::simulated;
use tokio::time::Instant;

/// What a clock that is right says when a simulation begins, in epoch milliseconds.
pub(super) const EPOCH: i64 = 1_900_000_000_000;

thread_local! {
    static BEGUN: Cell<Option<Instant>> = const { Cell::new(None) };
    static REQUEST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// True time begins now.
pub(super) fn begin() {
    BEGUN.set(Some(Instant::now()));
}

/// True time in milliseconds since the beginning.
pub(super) fn now() -> i64 {
    let begun = BEGUN.get().expect("a simulation has begun");
    i64::try_from((Instant::now() - begun).as_millis()).expect("a time within centuries")
}

/// The request that is served now.
pub(super) fn request() -> Option<usize> {
    REQUEST.get()
}

/// Runs `act` on a machine whose clock is so many milliseconds `ahead` of true time.
pub(super) fn on<T>(ahead: i64, act: impl FnOnce() -> T) -> T {
    during(ahead, REQUEST.get(), act)
}

fn during<T>(ahead: i64, request: Option<usize>, act: impl FnOnce() -> T) -> T {
    let before = (simulated::set(Some(EPOCH + now() + ahead)), REQUEST.replace(request));
    let given = act();
    simulated::set(before.0);
    REQUEST.set(before.1);
    given
}

/// Runs `future`, which serves the request of this number, on a machine whose clock is so many milliseconds `ahead`.
pub(super) fn serving<F: Future>(ahead: i64, request: usize, future: F) -> Serving<F> {
    Serving { ahead, request, future: Box::pin(future) }
}

/// The code that serves a request.
pub(super) struct Serving<F> {
    ahead: i64,
    request: usize,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Serving<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let (ahead, request) = (self.ahead, self.request);
        during(ahead, Some(request), || self.future.as_mut().poll(context))
    }
}
