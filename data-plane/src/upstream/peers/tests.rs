use std::net::IpAddr;

use super::Peers;

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

#[test]
fn a_name_has_moved_when_an_open_connection_leads_where_it_no_longer_does_twice() {
    let peers = Peers::default();
    assert!(!peers.are_there() && !peers.have_moved(&[]));
    let open = peers.add(address(1));
    assert!(peers.are_there() && !peers.have_moved(&[address(1), address(2)]));
    assert!(!peers.have_moved(&[address(2)]), "it may be there again");
    assert!(!peers.have_moved(&[address(1)]) && !peers.have_moved(&[address(2)]));
    assert!(peers.have_moved(&[address(3)]));
    drop(open);
    assert!(!peers.are_there() && !peers.have_moved(&[]));
}
