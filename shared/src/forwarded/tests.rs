use http::HeaderValue;

use super::*;

fn proxies(entries: &[&str]) -> TrustedProxies {
    TrustedProxies::parse(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn client(trusted: &[&str], peer: &str, headers: &[(&'static str, &'static str)]) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    proxies(trusted).client(peer.parse().unwrap(), &map).to_string()
}

const XFF: &str = "x-forwarded-for";

#[test]
fn nobody_is_believed_by_default() {
    assert_eq!(client(&[], "10.0.0.1", &[(XFF, "203.0.113.7")]), "10.0.0.1");
    assert_eq!(
        client(&["10.0.0.2"], "10.0.0.1", &[(XFF, "203.0.113.7"), ("forwarded", "for=203.0.113.7")]),
        "10.0.0.1"
    );
}

#[test]
fn the_rightmost_hop_that_is_not_trusted_is_the_client() {
    let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"];
    let of = |value: &'static str| client(&trusted, "10.0.0.1", &[(XFF, value)]);
    assert_eq!(of("203.0.113.7"), "203.0.113.7");
    assert_eq!(of("1.1.1.1, 203.0.113.7, 10.9.9.9,192.0.2.1"), "203.0.113.7", "what the client wrote is not believed");
    assert_eq!(of("203.0.113.7:4711"), "203.0.113.7");
    assert_eq!(of("2001:db8::1"), "2001:db8::1");
    assert_eq!(of("[2001:db8::1]:4711, fd00::5"), "2001:db8::1");
    assert_eq!(of("::ffff:203.0.113.7"), "203.0.113.7");
    assert_eq!(of("10.1.1.1, 10.2.2.2"), "10.1.1.1", "all are trusted");
    assert_eq!(of("203.0.113.7, garbage, 10.2.2.2"), "10.2.2.2", "the way back ends at what cannot be read");
    assert_eq!(of("garbage"), "10.0.0.1");
    assert_eq!(of(""), "10.0.0.1");
    assert_eq!(client(&trusted, "10.0.0.1", &[(XFF, "1.1.1.1"), (XFF, "203.0.113.7")]), "203.0.113.7");
    assert_eq!(client(&trusted, "::ffff:10.0.0.1", &[(XFF, "203.0.113.7")]), "203.0.113.7");
}

#[test]
fn the_standard_header_is_read_too_and_a_contradiction_is_not_believed() {
    let of = |headers: &[(&'static str, &'static str)]| client(&["10.0.0.1"], "10.0.0.1", headers);
    assert_eq!(of(&[("forwarded", "for=203.0.113.7;proto=https")]), "203.0.113.7");
    assert_eq!(of(&[("forwarded", "for=1.1.1.1, proto=http;For=\"[2001:db8::1]:4711\"")]), "2001:db8::1");
    assert_eq!(of(&[("forwarded", "for=203.0.113.7, for=_hidden")]), "10.0.0.1");
    assert_eq!(of(&[("forwarded", "proto=https")]), "10.0.0.1");
    assert_eq!(of(&[(XFF, "203.0.113.7"), ("forwarded", "for=203.0.113.7")]), "203.0.113.7");
    assert_eq!(of(&[(XFF, "203.0.113.7"), ("forwarded", "for=1.1.1.1")]), "10.0.0.1");
}

#[test]
fn what_is_no_address_and_no_range_is_refused_by_name() {
    for bad in ["", "10.0.0.0/33", "proxy.local", "300.1.1.1", "10.0.0.0/", "::1/129", "10.0.0.1:80", "*"] {
        let error = TrustedProxies::parse(&["127.0.0.1".to_owned(), bad.to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{bad:?} is neither")), "{error}");
    }
    assert!(proxies(&["127.0.0.1", " 10.0.0.7/8 ", "::1", "fd00::/8"]).everyone().is_none());
    assert!(proxies(&["0.0.0.0/0"]).everyone().is_some());
    assert_eq!(client(&["::ffff:10.0.0.0/104"], "10.0.0.1", &[(XFF, "203.0.113.7")]), "203.0.113.7");
}
