use super::with_port;

#[test]
fn a_destination_has_the_port_that_it_names_or_that_of_its_scheme() {
    for (uri, expected) in [
        ("http://host/v1", "http://host:80/v1"),
        ("http://host:8080/v1", "http://host:8080/v1"),
        ("https://host/v1", "https://host:443/v1"),
        ("https://host:8443/", "https://host:8443/"),
        ("http://[::1]/v1", "http://[::1]:80/v1"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
    ] {
        assert_eq!(with_port(uri.parse().unwrap()).to_string(), expected);
    }
}
