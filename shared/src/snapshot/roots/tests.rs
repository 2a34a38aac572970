use super::{LONGEST_ROOTS, tls_roots};

const ROOT: &str = include_str!("../../../../tests/fixtures/tls/root.pem");
const KEY: &str = include_str!("../../../../tests/fixtures/tls/server-key.pem");

#[test]
fn certificates_are_read_one_after_the_other() {
    assert_eq!(tls_roots(ROOT).unwrap().len(), 1);
    assert_eq!(tls_roots(&format!("the root of our network\n{ROOT}\n{ROOT}")).unwrap().len(), 2);
}

#[test]
fn what_is_no_certificate_is_refused_with_its_reason() {
    for (text, why) in [
        (String::new(), "holds no certificate"),
        ("MIIBfzCCASWgAwIBAgIB".to_owned(), "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----".to_owned(), "cannot be read at certificate 1"),
        (format!("{ROOT}-----BEGIN CERTIFICATE-----\nMIIB"), "is not PEM from certificate 2 on"),
        (format!("{ROOT}{KEY}"), "holds a private key"),
        (ROOT.repeat(LONGEST_ROOTS / ROOT.len() + 1), "must not be longer"),
    ] {
        let told = tls_roots(&text).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
}
