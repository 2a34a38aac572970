use super::*;

#[test]
fn as_many_connections_go_up_as_come_in_and_the_rest_has_room() {
    for limit in [0, 256, 1024, 4096, 1_048_576] {
        let connections = connections_of(limit);
        assert!(connections >= 16, "{limit}");
        assert!(limit < 256 || 2 * connections + OTHERS <= limit, "{limit}: {connections}");
    }
    assert_eq!(connections_of(1024), 416);
}
