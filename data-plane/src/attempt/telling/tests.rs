use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use translation::Format;

use super::MostTelling;
use crate::answer::{Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::route::fixtures::candidate;
use shared::verdict::Step;

fn said(status: u16, body: &'static str, pause: Option<u64>) -> Failure {
    let format = Format::OpenAiChat;
    let mut error = format.protocol().decode_error(status, body.as_bytes());
    error.retry_after = pause.map(Duration::from_secs);
    let mut headers = HeaderMap::new();
    if let Some(pause) = pause {
        headers.insert("retry-after", pause.into());
        headers.insert("retry-after-ms", (pause * 1000).into());
    }
    Failure::Provider(Box::new(ProviderAnswer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: Bytes::from_static(body.as_bytes()),
        candidate: candidate(),
        format,
        error,
        usage: None,
    }))
}

fn unreached() -> Failure {
    Failure::Gateway(GatewayError::Connect("no connection"))
}

fn told(failures: impl IntoIterator<Item = (Step, Failure)>) -> Failure {
    let mut telling = MostTelling::default();
    failures.into_iter().for_each(|(step, failure)| telling.hear(step, failure));
    telling.into_failure().unwrap()
}

/// The status of what the client gets; 0 is an error of the gateway's own.
fn status(failures: impl IntoIterator<Item = (Step, Failure)>) -> u16 {
    match told(failures) {
        Failure::Provider(said) => said.status.as_u16(),
        Failure::Gateway(_) => 0,
    }
}

#[test]
fn the_client_gets_the_most_telling_error_of_all() {
    let next = |failure| (Step::NextKey, failure);
    let error = |status| said(status, "", None);
    // Its own fault counts most, wherever it comes.
    assert_eq!(status([next(error(429)), next(error(500)), (Step::End, error(400))]), 400);
    // Then a rate limit, before or after another failure.
    assert_eq!(status([next(error(500)), next(error(429))]), 429);
    assert_eq!(status([next(error(429)), next(error(503))]), 429);
    // Then what the first one said.
    assert_eq!(status([next(error(500)), next(error(503))]), 500);
    // An account without money is no rate limit.
    let money = r#"{"error":{"message":"no","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    assert_eq!(status([next(error(500)), next(said(429, money, None))]), 500);
}

#[test]
fn what_a_provider_said_outlives_that_another_could_not_be_reached() {
    let next = |failure| (Step::NextKey, failure);
    let error = |status| said(status, "", None);
    assert_eq!(status([next(unreached())]), 0);
    assert_eq!(status([next(error(500)), next(unreached())]), 500);
    assert_eq!(status([next(unreached()), next(error(500))]), 500);
    // What ends the walk is what the client gets.
    assert_eq!(status([next(error(500)), (Step::End, Failure::Gateway(GatewayError::Loop))]), 0);
    // That a group has no such model is worth less than why another failed that may have it.
    assert_eq!(status([next(error(503)), (Step::NextGroup, error(404))]), 503);
    assert_eq!(status([(Step::NextGroup, error(404)), next(error(503))]), 503);
    assert_eq!(status([(Step::NextGroup, error(404)), next(unreached())]), 0);
    assert_eq!(status([(Step::NextGroup, error(404)), (Step::NextGroup, error(404))]), 404);
    // That a provider is left alone is worth least.
    let failing = || Failure::Gateway(GatewayError::Failing);
    assert!(matches!(told([next(failing()), next(unreached())]), Failure::Gateway(GatewayError::Connect(_))));
    assert!(matches!(told([next(failing())]), Failure::Gateway(GatewayError::Failing)));
}

#[test]
fn a_rate_limit_tells_the_shortest_pause_of_those_that_limit() {
    let next = |failure| (Step::NextKey, failure);
    let pauses = [next(said(429, "", Some(30))), next(said(429, "", Some(7))), next(said(429, "", None))];
    let Failure::Provider(said) = told(pauses) else { panic!("a provider has said so") };
    assert_eq!(said.error.retry_after, Some(Duration::from_secs(7)));
    assert_eq!((&said.headers["retry-after"], &said.headers["retry-after-ms"]), (&7.into(), &7000.into()));
}
