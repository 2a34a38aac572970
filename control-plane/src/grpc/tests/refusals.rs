use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::super::refusals::Refusals;

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(number))
}

#[test]
fn an_address_is_named_once_a_minute_and_not_too_many_of_them() {
    let (refusals, now) = (Refusals::default(), Instant::now());
    assert_eq!(refusals.is_news(Some(address(1)), now), Some(0));
    for _ in 0..9 {
        assert_eq!(refusals.is_news(Some(address(1)), now + Duration::from_secs(59)), None);
    }
    assert_eq!(refusals.is_news(Some(address(2)), now), Some(9), "those that were not told of are counted");
    assert_eq!(refusals.is_news(Some(address(1)), now + Duration::from_mins(1)), Some(0));
    let named = (100..10_000).filter(|number| refusals.is_news(Some(address(*number)), now).is_some()).count();
    assert!(named <= 64, "{named}");
}
