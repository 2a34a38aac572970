use super::*;

fn fault(version: Version, uri: &str, hosts: &[&str]) -> Option<Fault> {
    let mut request = Request::builder().version(version).uri(uri);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    Fault::of(&request.body(()).unwrap())
}

#[test]
fn a_request_names_one_host() {
    let bad = Some(Fault::Host);
    for good in ["example.com", "example.com:8080", "[::1]:80", "127.0.0.1", "my_host", ""] {
        assert_eq!(fault(Version::HTTP_11, "/", &[good]), None, "{good}");
    }
    assert_eq!(fault(Version::HTTP_11, "/", &[]), bad);
    assert_eq!(fault(Version::HTTP_11, "/", &["a", "a"]), bad);
    assert_eq!(fault(Version::HTTP_11, "http://a/", &[]), bad, "the header is wanted beside the absolute form too");
    for two in ["a, b", "a b", "a/b", "user@a"] {
        assert_eq!(fault(Version::HTTP_11, "/", &[two]), bad, "{two}");
    }
    assert_eq!(fault(Version::HTTP_10, "/", &[]), None);
    assert_eq!(fault(Version::HTTP_10, "/", &["a", "b"]), bad);
    assert_eq!(fault(Version::HTTP_2, "http://a/", &[]), None);
    assert_eq!(fault(Version::HTTP_2, "/", &["a"]), None);
    assert_eq!(fault(Version::HTTP_2, "/", &[]), bad);
    assert_eq!(fault(Version::HTTP_2, "http://a/", &["A"]), None);
    assert_eq!(fault(Version::HTTP_2, "http://a/", &["b"]), bad);
}
