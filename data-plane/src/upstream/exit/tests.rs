use shared::snapshot::{OutboundProxy, ProxyScheme};

use super::{Exit, basic_credentials};
use crate::route::fixtures::group;

fn proxy(bypass_local: bool, bypass_domains: &[&str]) -> OutboundProxy {
    OutboundProxy {
        scheme: ProxyScheme::Http,
        host: "proxy.example".to_owned(),
        port: 3128,
        username: "user".to_owned(),
        password: "secret".into(),
        bypass_local,
        bypass_domains: bypass_domains.iter().map(ToString::to_string).collect(),
    }
}

fn goes_direct(base_url: &str, proxy: OutboundProxy) -> bool {
    let mut group = group("g", &["m"]);
    group.base_url = base_url.into();
    group.outbound_proxy = Some(proxy);
    Exit::of(&group).is_direct()
}

#[test]
fn exceptions_go_direct() {
    let domains = ["*.example.com", "internal"];
    assert!(goes_direct("https://api.example.com/v1", proxy(false, &domains)));
    assert!(goes_direct("https://EXAMPLE.com/v1", proxy(false, &domains)));
    assert!(goes_direct("http://internal:8000/v1", proxy(false, &domains)));
    assert!(!goes_direct("https://api.badexample.com/v1", proxy(false, &domains)));
    assert!(!goes_direct("https://api.example.com.evil.org/v1", proxy(false, &domains)));
    assert!(!goes_direct("https://api.example.com/v1", proxy(false, &["", "*."])));
}

#[test]
fn an_exception_may_name_a_port_or_an_address() {
    assert!(goes_direct("http://box.example:8080/v1", proxy(false, &["box.example:8080"])));
    assert!(!goes_direct("http://box.example:8081/v1", proxy(false, &["box.example:8080"])));
    assert!(goes_direct("http://box.example/v1", proxy(false, &["box.example:80"])));
    assert!(goes_direct("https://box.example/v1", proxy(false, &["box.example:443"])));
    for exception in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:8080"] {
        assert!(goes_direct("http://[2001:db8::1]:8080/v1", proxy(false, &[exception])), "{exception}");
        assert!(!goes_direct("http://[2001:db8::2]:8080/v1", proxy(false, &[exception])), "{exception}");
    }
}

#[test]
fn local_addresses_go_direct_where_asked() {
    for local in ["http://127.0.0.1:1", "http://10.1.2.3", "http://[::1]:80", "http://box.local", "http://ollama:11434"]
    {
        assert!(goes_direct(local, proxy(true, &[])), "{local}");
        assert!(!goes_direct(local, proxy(false, &[])), "{local}");
    }
    assert!(!goes_direct("https://api.openai.com/v1", proxy(true, &[])));
}

#[test]
fn credentials_are_basic() {
    assert_eq!(basic_credentials(&proxy(false, &[])).unwrap(), "Basic dXNlcjpzZWNyZXQ=");
}
