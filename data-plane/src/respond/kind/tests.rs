use super::*;

fn headers(kind: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))])
}

#[test]
fn no_answer_of_a_provider_becomes_a_page() {
    let safe = ["application/json; charset=utf-8", "audio/mpeg", "image/png", "text/plain", "application/problem+json"];
    for kind in safe {
        let mut named = headers(kind);
        make_safe(&mut named);
        assert_eq!(named, headers(kind));
    }
    for kind in ["text/html", "TEXT/HTML; charset=utf-8", "image/svg+xml", "application/xhtml+xml", "text/xml", "x", ""]
    {
        let mut named = headers(kind);
        make_safe(&mut named);
        assert_eq!(
            (&named[CONTENT_TYPE], &named[CONTENT_DISPOSITION]),
            (&BYTES, &HeaderValue::from_static("attachment"))
        );
    }
    let mut named = headers("text/html");
    named.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=x"));
    make_safe(&mut named);
    assert_eq!(named[CONTENT_DISPOSITION], "attachment; filename=x");
    let mut named = headers("text/html");
    named.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    make_safe(&mut named);
    assert_eq!(named[CONTENT_DISPOSITION], "attachment");
}

#[test]
fn an_answer_of_a_format_has_the_type_of_its_format() {
    let mut page = headers("text/html");
    set(&mut page, "application/json");
    assert_eq!(page[CONTENT_TYPE], "application/json");
    let mut own = headers("Application/JSON; charset=UTF-8");
    set(&mut own, "application/json");
    assert_eq!(own[CONTENT_TYPE], "Application/JSON; charset=UTF-8");
}
