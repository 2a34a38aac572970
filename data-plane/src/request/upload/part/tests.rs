use http::HeaderValue;

use super::{PartError, boundary, content_type, decisive_field};

#[test]
fn decisive_fields_are_told_by_their_name() {
    let of = |headers: &str| decisive_field(format!("\r\n{headers}").as_bytes());
    for headers in [
        "Content-Disposition: form-data; name=\"model\"",
        "content-disposition:form-data;name=model",
        "Content-Type: text/plain; charset=utf-8\r\nCONTENT-DISPOSITION: form-data ; NAME = \"model\"",
        "Content-Disposition: form-data; odd; name=\"model\"",
        "Content-Transfer-Encoding: 8BIT\r\nContent-Disposition: form-data; name=\"model\"",
    ] {
        assert_eq!(of(headers), Ok(Some("model")), "{headers}");
    }
    for headers in [
        "Content-Disposition: form-data; name=\"file\"; filename=\"name=model\"",
        "Content-Disposition: form-data; name=\"file\"; filename=\"a\\\"b.wav\"",
        "Content-Disposition: form-data; name=\"image[]\"; filename=\"C:\\x.png\"; filename*=utf-8''x.png",
        "Content-Disposition: form-data; name=\"timestamp_granularities[]\"",
        "X-Content-Disposition: form-data; name=\"model\"\r\nContent-Disposition: form-data; name=\"x\"",
    ] {
        assert_eq!(of(headers), Ok(None), "{headers}");
    }
    for (headers, error) in [
        ("Content-Disposition: form-data; name=\"models\"", PartError::Models),
        ("Content-Disposition: form-data; name=\"Models[]\"", PartError::Models),
        ("Content-Disposition: form-data; name=\"Model\"", PartError::Field("model")),
        ("Content-Disposition: form-data; name=\"model[]\"", PartError::Field("model")),
        ("Content-Disposition: form-data; name=\"model \"", PartError::Field("model")),
        ("Content-Disposition: form-data; name=\"model\"; filename=\"x\"", PartError::Field("model")),
        (
            "Content-Transfer-Encoding: quoted-printable\r\nContent-Disposition: form-data; name=\"model\"",
            PartError::Field("model"),
        ),
        (
            "Content-Type: text/plain; charset=utf-7\r\nContent-Disposition: form-data; name=\"model\"",
            PartError::Field("model"),
        ),
        ("Content-Disposition: form-data; name=\"mod\\el\"", PartError::Name),
        ("Content-Disposition: form-data; filename=\"\\\"; name=x\"; name=\"model\"", PartError::Name),
        ("Content-Disposition: form-data; name=\"x\"; name=\"model\"", PartError::Name),
        ("Content-Disposition: form-data; name*=utf-8''model", PartError::Name),
        ("Content-Disposition: form-data; name=\"x\"; name*=utf-8''model", PartError::Name),
        ("Content-Disposition: attachment; name=\"model\"", PartError::Name),
        ("Content-Disposition: form-data", PartError::Name),
        ("Content-Type: text/plain", PartError::Name),
        (
            "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"",
            PartError::Name,
        ),
        ("Content-Disposition: form-data;\r\n name=\"model\"", PartError::Malformed),
        ("Content-Disposition : form-data; name=\"model\"", PartError::Malformed),
        (
            "Content-Disposition: form-data; name=\"x\"\nContent-Disposition: form-data; name=\"model\"",
            PartError::Malformed,
        ),
        ("no header field", PartError::Malformed),
    ] {
        assert_eq!(of(headers), Err(error), "{headers}");
    }
}

#[test]
fn the_boundary_is_that_of_the_content_type() {
    let of = |value: &str| boundary(&HeaderValue::from_str(value).unwrap());
    assert_eq!(of("multipart/form-data; boundary=XbX").as_deref(), Some("XbX"));
    assert_eq!(
        of("Multipart/Form-Data; charset=utf-8; Boundary=\"a b'()+_,-./:=?\"").as_deref(),
        Some("a b'()+_,-./:=?")
    );
    for none in [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
        "application/json",
        &format!("multipart/form-data; boundary={}", "x".repeat(71)),
        "multipart/form-data; boundary=B; boundary=C",
        "multipart/form-data; boundary=B; Boundary=C",
        "multipart/form-data; boundary=B; boundary*=utf-8''C",
        "multipart/form-data; boundary*0=B; boundary*1=C",
        "multipart/form-data; boundary=\"a\\\"b\"",
        "multipart/form-data; boundary=a{b",
        "multipart/form-data; boundary=\"a \"",
    ] {
        assert_eq!(of(none), None, "{none}");
    }
}

#[test]
fn providers_are_told_the_boundary_in_one_form() {
    let told = |boundary: &str| content_type(boundary).unwrap();
    assert_eq!(told("----WebKitFormBoundary7MA4"), "multipart/form-data; boundary=----WebKitFormBoundary7MA4");
    assert_eq!(told("a b"), "multipart/form-data; boundary=\"a b\"");
    assert_eq!(told("a:b"), "multipart/form-data; boundary=\"a:b\"");
}
