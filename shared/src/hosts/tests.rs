use super::is_metadata_host;

#[test]
fn metadata_services_are_known_in_every_spelling() {
    for host in [
        "169.254.169.254",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0XA9FEA9FE",
        "0xa9.0xfe.0xa9.0xfe",
        "025177524776",
        "0251.0376.0251.0376",
        "169.254.43518",
        "169.16689662",
        "0xa9.254.0251.254",
        "169.254.170.2",
        "100.100.100.200",
        "1684301000",
        "192.0.0.192",
        "168.63.129.16",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[0:0:0:0:0:ffff:a9fe:a9fe]",
        "[::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fd00:ec2::254]",
        "[fd00:0ec2:0:0:0:0:0:254]",
        "[fd00:ec2::23]",
        "[fd20:ce::254]",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
        "metadata.goog",
        "metadata",
    ] {
        assert!(is_metadata_host(host), "{host}");
    }
}

#[test]
fn other_hosts_are_not_taken_for_metadata_services() {
    for host in [
        "api.openai.com",
        "localhost",
        "127.0.0.1",
        "2130706433",
        "10.0.0.1",
        "192.168.1.1",
        "100.100.100.201",
        "[::1]",
        "[::]",
        "[fd00::1]",
        "[2606:4700::1111]",
        "metadata.example.com",
        "169.254.169.254.example.com",
        "1.2.3.4.5",
        "256.1.1.1",
        "deadbeef",
        "",
    ] {
        assert!(!is_metadata_host(host), "{host}");
    }
}
