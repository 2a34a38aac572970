use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use shared::secret::Secret;
use shared::snapshot::{KeySettings, OutboundProxy, ProxyScheme, UpstreamKey, UpstreamKeyRouting};
use translation::ir::{ErrorKind, ProviderError};

use super::{GroupSecrets, Leak, Redactor, TextRedactor};
use crate::route::fixtures::group;

const SECRET: &str = "sk-upstream-1";

#[test]
fn a_key_that_is_repeated_is_taken_out() {
    let leak = Leak::of(&Secret::new(SECRET));
    let clean = |text: String| String::from_utf8(leak.redact(Bytes::from(text)).to_vec()).unwrap();
    assert_eq!(clean(format!("{SECRET} x {SECRET}{SECRET} y")), "[redacted] x [redacted][redacted] y");
    assert_eq!(clean("nothing".to_owned()), "nothing");
    let same = Bytes::from_static(b"nothing of it");
    assert_eq!(leak.redact(same.clone()).as_ptr(), same.as_ptr());
}

#[test]
fn a_key_across_pieces_is_taken_out_wherever_it_is_cut() {
    let leak = Leak::of(&Secret::new(SECRET));
    let text = format!("before {} {SECRET}{SECRET} after {}", &SECRET[..5], &SECRET[..7]);
    let expected = text.replace(SECRET, "[redacted]");
    for cut in 0..=text.len() {
        for length in [1, 3, text.len()] {
            let (first, rest) = text.as_bytes().split_at(cut);
            let mut redactor = Redactor::default();
            let mut clean = redactor.push(&leak, Bytes::copy_from_slice(first)).to_vec();
            for piece in rest.chunks(length) {
                clean.extend_from_slice(&redactor.push(&leak, Bytes::copy_from_slice(piece)));
            }
            clean.extend_from_slice(&redactor.finish());
            assert_eq!(String::from_utf8(clean).unwrap(), expected, "cut at {cut}");
        }
    }
}

/// What a client reads of a text that comes in `deltas`.
fn told(leak: &Leak, deltas: &[&str]) -> String {
    let mut redactor = TextRedactor::default();
    let mut text = Vec::new();
    for delta in deltas {
        text.extend(redactor.push(leak, delta.as_bytes()).unwrap_or_else(|| delta.as_bytes().to_vec()));
    }
    text.extend(redactor.finish());
    String::from_utf8(text).unwrap()
}

#[test]
fn a_key_across_deltas_of_a_text_is_taken_out_wherever_it_is_cut() {
    let leak = Leak::of(&Secret::new(SECRET));
    let text = format!("The key is {SECRET}, sir. It is sk-up-to-date");
    for cut in 1..text.len() {
        let (first, rest) = text.split_at(cut);
        let clean = told(&leak, &[first, rest]);
        // As many letters as are common in words may have gone on before it is known what they begin.
        assert!(
            !clean.contains("upstream") && clean.contains("[redacted], sir. It is sk-up-to-date"),
            "{cut}: {clean}"
        );
        assert!(clean.starts_with("The key is "), "{cut}: {clean}");
    }
    for size in 1..SECRET.len() {
        let deltas: Vec<_> = text.as_bytes().chunks(size).map(|delta| std::str::from_utf8(delta).unwrap()).collect();
        let clean = told(&leak, &deltas);
        assert!(
            !clean.contains("upstream") && clean.ends_with("[redacted], sir. It is sk-up-to-date"),
            "{size}: {clean}"
        );
    }
    let deltas = ["One ", "two ", "sk", "y"];
    assert_eq!(told(&leak, &deltas), "One two sky");
    let mut redactor = TextRedactor::default();
    assert!(deltas.iter().all(|delta| redactor.push(&leak, delta.as_bytes()).is_none()), "words pass as they are");
}

#[test]
fn every_secret_of_the_group_is_taken_out_in_every_form() {
    let mut group = group("g", &["m"]);
    group.upstream_keys = [r#"sk-"quoted"/\key+1"#, "AKIA1234:aws/Secret+Key:session/Token=1@eu-west-1"]
        .map(|secret| {
            Arc::new(UpstreamKey {
                id: secret.into(),
                masked: "m".into(),
                secret: secret.into(),
                enabled: true,
                routing: UpstreamKeyRouting::default(),
            })
        })
        .to_vec();
    let basic = STANDARD.encode("someone:pass-word-1");
    for (name, value) in
        [("x-api-token", "tok-12345678"), ("authorization", &*format!("Basic {basic}")), ("x-tenant", "production")]
    {
        group.headers.insert(name.to_owned(), value.into());
    }
    group.outbound_proxy = Some(OutboundProxy {
        scheme: ProxyScheme::Http,
        host: "proxy.example".to_owned(),
        port: 3128,
        username: "user".to_owned(),
        password: "proxy-password".into(),
        bypass_local: false,
        bypass_domains: Vec::new(),
    });
    let own = KeySettings {
        outbound_proxy: group
            .outbound_proxy
            .clone()
            .map(|proxy| OutboundProxy { password: "own-password".into(), ..proxy }),
        headers: [("x-own-token".to_owned(), "own-12345678".into())].into(),
        ..KeySettings::default()
    };
    Arc::make_mut(&mut group.upstream_keys[1]).routing.own = own.or_none();
    // Asked with the first key, the answer may hold what belongs to another.
    let group = Arc::new(group);
    let leak = GroupSecrets::of(&group).with_key(&group.upstream_keys[0], None);
    for secret in [
        r#"sk-"quoted"/\key+1"#,
        "aws/Secret+Key",
        "session/Token=1",
        "tok-12345678",
        "pass-word-1",
        &basic,
        "proxy-password",
        "user:proxy-password",
        "own-12345678",
        "own-password",
        "user:own-password",
    ] {
        let json = serde_json::to_string(secret).unwrap();
        let url: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let mut forms = vec![secret.to_owned(), json[1..json.len() - 1].to_owned(), url];
        for before in ["", "x", "xy", "xyz"] {
            for after in ["", "1", "22"] {
                let text = format!("{before}{secret}{after}");
                forms.push(STANDARD.encode(&text));
                forms.push(URL_SAFE_NO_PAD.encode(&text));
            }
        }
        for form in forms {
            let text = format!("a {form} b");
            assert!(leak.is_in(text.as_bytes()), "{secret}: {form}");
            let clean = leak.redact_text(text);
            assert!(clean.contains("[redacted]") && clean.len() < form.len() + 14, "{secret}: {form}: {clean}");
        }
    }
    let words = "production user someone AKIA1234 eu-west-1";
    assert_eq!(leak.redact_text(words.to_owned()), words, "names are no secrets");
    let mut error = ProviderError::new(ErrorKind::Server, "tok-12345678").code("tok-12345678");
    error.param = Some("tok-12345678".to_owned());
    leak.redact_error(&mut error);
    assert!(!format!("{error:?}").contains("tok-12345678"), "{error:?}");
}
