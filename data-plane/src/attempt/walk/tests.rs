use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use translation::Format;

use super::{Course, worth_more};
use crate::answer::{Failure, ProviderAnswer};
use crate::error::GatewayError;
use crate::provider::verdict::Step;
use crate::route::fixtures::candidate;

fn after(steps: &[Step]) -> Course {
    let mut course = Course::default();
    for step in steps {
        course.tried(*step);
    }
    course
}

#[test]
fn another_candidate_is_tried_once_and_in_time() {
    use Step::{End, NextKey, Unsigned};
    // Steps after the candidates so far, retries that the group of the next one allows, whether it is late, and
    // whether that one may be tried.
    let cases: &[(&[Step], u32, bool, bool)] = &[
        (&[], 3, false, true),
        (&[], 0, false, true),
        // The first finds out for itself that there is no time left.
        (&[], 0, true, true),
        (&[NextKey], 3, false, true),
        (&[NextKey], 1, false, true),
        (&[NextKey], 0, false, false),
        (&[NextKey], 3, true, false),
        (&[NextKey, NextKey], 3, false, false),
        (&[End], 3, false, false),
        (&[Unsigned], 3, false, false),
        (&[NextKey, End], 3, false, false),
    ];
    for (steps, retry_count, late, allowed) in cases {
        let course = after(steps);
        assert_eq!(course.may_try(*retry_count, *late), *allowed, "{steps:?} {retry_count} {late}");
    }
}

#[test]
fn a_walk_goes_on_only_where_the_last_attempt_says_so() {
    assert!(after(&[]).goes_on() && after(&[Step::NextKey, Step::NextKey]).goes_on());
    assert!(!after(&[Step::End]).goes_on() && !after(&[Step::NextKey, Step::Unsigned]).goes_on());
}

#[test]
fn what_a_provider_said_outlives_that_the_next_could_not_be_reached() {
    let said = |status| {
        let format = Format::OpenAiChat;
        let error = format.protocol().decode_error(status, b"");
        Failure::Provider(Box::new(ProviderAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            candidate: candidate(),
            format,
            error,
            usage: None,
        }))
    };
    let status = |failure| match failure {
        Failure::Provider(said) => said.status.as_u16(),
        Failure::Gateway(_) => 0,
    };
    let unreached = || Failure::Gateway(GatewayError::Connect("no connection"));
    assert_eq!(status(worth_more(None, Step::NextKey, unreached())), 0);
    assert_eq!(status(worth_more(Some(said(500)), Step::NextKey, unreached())), 500);
    assert_eq!(status(worth_more(Some(unreached()), Step::NextKey, said(500))), 500);
    assert_eq!(status(worth_more(Some(said(500)), Step::NextKey, said(503))), 503);
    // What ends the walk is what the client gets.
    assert_eq!(status(worth_more(Some(said(500)), Step::End, Failure::Gateway(GatewayError::Loop))), 0);
    assert_eq!(status(worth_more(Some(said(500)), Step::End, said(400))), 400);
}
