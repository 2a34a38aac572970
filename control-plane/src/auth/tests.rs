use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Uri};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use shared::crypto::random_token;
use shared::secret::Secret;
use shared::time::now_ms;

use super::bootstrap::check_settings;
use super::credentials::{cookie, same_origin};
use super::jwt::{Claims, Tokens};
use super::passwords::{Passwords, Turn, Turns};
use super::place::Place;
use super::throttle::{Refused, Throttle, account};
use crate::config::AuthSettings;
use crate::error::ApiError;

fn secret() -> Secret {
    Secret::new("0123456789abcdef0123456789abcdef")
}

fn claims(seconds_left: i64) -> Claims {
    let now = now_ms() / 1000;
    Claims { sub: "u".into(), sid: "s".into(), role: "admin".into(), iat: now, exp: now + seconds_left }
}

#[test]
fn a_token_of_ours_is_read_back_and_an_expired_one_is_not() {
    let tokens = Tokens::new(&secret());
    let token = tokens.sign(&claims(60)).unwrap();
    assert_eq!(tokens.verify(token.expose()).unwrap(), claims(60));
    let expired = tokens.sign(&claims(-1)).unwrap();
    assert!(tokens.verify(expired.expose()).is_err());
    let foreign = Tokens::new(&Secret::new(random_token(32).unwrap())).sign(&claims(60)).unwrap();
    assert!(tokens.verify(foreign.expose()).is_err());
}

#[test]
fn p32_other_algorithms_and_malformed_claims_are_refused() {
    let tokens = Tokens::new(&secret());
    let key = EncodingKey::from_secret(secret().expose().as_bytes());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = jsonwebtoken::encode(&Header::new(algorithm), &claims(60), &key).unwrap();
        assert!(tokens.verify(&token).is_err(), "{algorithm:?}");
    }
    let good = tokens.sign(&claims(60)).unwrap();
    let (_, rest) = good.expose().split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"} and {"typ":"JWT","alg":"None"}
    for header in ["eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", "eyJ0eXAiOiJKV1QiLCJhbGciOiJOb25lIn0"] {
        assert!(tokens.verify(&format!("{header}.{payload}.")).is_err());
        assert!(tokens.verify(&format!("{header}.{payload}.{signature}")).is_err());
    }
    let now = now_ms() / 1000;
    for claims in [
        json!({"sub": "u", "sid": "s", "role": "admin", "iat": now}),
        json!({"sub": "u", "sid": "s", "role": "admin", "iat": now, "exp": "9999999999"}),
        json!({"sub": "u", "sid": "s", "role": "admin", "iat": now, "exp": null}),
        json!({"sub": "u", "role": "admin", "iat": now, "exp": now + 60}),
        json!({"sid": "s", "role": "admin", "iat": now, "exp": now + 60}),
    ] {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        assert!(tokens.verify(&token).is_err(), "{claims}");
    }
    for garbage in ["", ".", "..", "a.b.c", "Bearer"] {
        assert!(tokens.verify(garbage).is_err());
    }
}

#[tokio::test]
async fn a_password_matches_its_own_hash_and_nobody_has_none() {
    let passwords = Passwords::new().await.unwrap();
    let hash = passwords.hash("correct horse".into()).await.unwrap();
    assert!(hash.expose().starts_with("$argon2id$"));
    let verify = async |password: &str, hash| passwords.verify(password.into(), hash, Turn::Known).await.unwrap();
    assert!(verify("correct horse", Some(&hash)).await);
    assert!(!verify("correct hors", Some(&hash)).await);
    assert!(!verify("correct horse", None).await);
}

/// The address 10.x.y.z of this number.
fn address(number: u32) -> Place {
    Place::of(Some(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))))
}

#[test]
fn one_hash_at_a_time_and_strangers_who_are_too_many_are_told_so() {
    let turns = Turns::default();
    let order = Arc::new(Mutex::new(Vec::new()));
    let push = |turn| {
        let order = Arc::clone(&order);
        turns.push(turn, Box::new(move || order.lock().unwrap().push(turn)))
    };
    let taken = |turns: Vec<Turn>| turns.into_iter().filter(|turn| push(*turn).is_ok()).count();
    assert_eq!(taken(vec![Turn::Stranger(address(1)); 20]), 4, "of one place");
    assert!(matches!(push(Turn::Stranger(address(1))), Err(ApiError::Busy)));
    assert_eq!(taken((2..100).map(|number| Turn::Stranger(address(number))).collect()), 28, "32 of all places");
    // Those who are known have places of their own, and go first.
    assert_eq!(taken(vec![Turn::Known; 20]), 8);
    for _ in 0..40 {
        turns.next().unwrap()();
    }
    let order = order.lock().unwrap();
    assert_eq!(order[..8], [Turn::Known; 8]);
    assert_eq!(order[8..12], [Turn::Stranger(address(1)); 4]);
    assert_eq!(order[39], Turn::Stranger(address(29)));
}

#[test]
fn the_thread_for_passwords_ends_when_idle_and_the_next_password_has_one_again() {
    let turns = Turns::default();
    let push = || turns.push(Turn::Known, Box::new(|| ()));
    assert!(push().unwrap(), "nobody takes it yet");
    assert!(!push().unwrap(), "whoever takes the first takes the second");
    for _ in 0..2 {
        turns.next().unwrap()();
    }
    assert!(turns.next().is_none());
    assert!(push().unwrap(), "the thread has ended");
}

fn admin() -> [u8; 32] {
    account("admin")
}

#[test]
fn p31_five_wrong_logins_a_minute_and_then_none() {
    let (throttle, start) = (Throttle::default(), Instant::now());
    let (here, elsewhere) = (address(1), address(2));
    for second in 0..5 {
        assert!(throttle.attempt(admin(), here, false, start + Duration::from_secs(second)).is_ok());
    }
    let later = start + Duration::from_secs(10);
    for known in [false, true] {
        let refused = throttle.attempt(admin(), here, known, later).unwrap_err();
        assert_eq!(refused, Refused::Place(Duration::from_secs(50)));
    }
    assert!(throttle.attempt(account("admin "), here, false, later).is_err(), "the same account for some databases");
    assert!(throttle.attempt(account("other"), here, false, later).is_ok(), "another account");
    assert!(throttle.attempt(admin(), elsewhere, false, later).is_ok(), "another address");
    let minute = start + Duration::from_mins(1);
    assert!(throttle.attempt(admin(), here, false, minute).is_ok(), "the first is a minute old");
    assert!(throttle.attempt(admin(), here, false, minute).is_err(), "the second is not");
}

#[test]
fn one_address_cannot_try_many_accounts() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    let tried = (0..100).filter(|n| throttle.attempt(account(&n.to_string()), address(1), false, now).is_ok()).count();
    assert_eq!(tried, 20);
    let refused = throttle.attempt(account("x"), address(1), true, now).unwrap_err();
    assert_eq!(refused, Refused::Place(Duration::from_secs(6)));
    assert!(throttle.attempt(account("x"), address(1), false, now + Duration::from_secs(6)).is_ok());
    assert!(throttle.attempt(account("x"), address(1), false, now + Duration::from_secs(6)).is_err());
    assert!(throttle.attempt(account("x"), address(2), false, now).is_ok(), "another address");
}

#[test]
fn many_addresses_cannot_try_one_account_nor_shut_out_its_owner() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    let tried = (0..1_000).filter(|n| throttle.attempt(admin(), address(*n), false, now).is_ok()).count();
    assert_eq!(tried, 20);
    let owner = address(5_000);
    let refused = throttle.attempt(admin(), owner, false, now).unwrap_err();
    assert_eq!(refused, Refused::Account(Duration::from_secs(10)));
    assert!(throttle.attempt(admin(), owner, true, now).is_ok(), "the owner is known there");
    // An attack that goes on gets six a minute, and what the owner was told is true.
    let wait = now + refused.wait();
    assert!(throttle.attempt(admin(), owner, false, wait).is_ok());
    assert!(throttle.attempt(admin(), address(5_001), false, wait).is_err());
    assert!(throttle.attempt(account("other"), owner, false, now).is_ok(), "another account");
}

#[test]
fn the_addresses_of_one_ipv6_network_are_one() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    let in_network = |host: u128| Place::of(Some(Ipv6Addr::from_bits(0x2001_0db8_0000_0001_u128 << 64 | host).into()));
    for host in 0..5 {
        throttle.attempt(admin(), in_network(host << 40 | 1), false, now).unwrap();
    }
    assert!(throttle.attempt(admin(), in_network(7), false, now).is_err());
    let other = Place::of(Some("2001:db8:0:2::1".parse().unwrap()));
    assert!(throttle.attempt(admin(), other, false, now).is_ok());
    assert_eq!(other.to_string(), "2001:db8:0:2::/64");
    assert_eq!(Place::of(Some("::ffff:10.0.0.1".parse().unwrap())), address(1));
}

#[test]
fn a_right_login_forgives_the_wrong_ones_before_and_no_others() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    for _ in 0..4 {
        throttle.attempt(admin(), address(1), false, now).unwrap();
    }
    let right = throttle.attempt(admin(), address(1), false, now).unwrap();
    throttle.succeeded(&right);
    for _ in 0..5 {
        throttle.attempt(admin(), address(1), false, now).unwrap();
    }
    assert!(throttle.attempt(admin(), address(1), false, now).is_err());
    // Somebody with an account of their own cannot wipe out what they tried on others.
    let mine = account("mine");
    let tried = (0..100).filter(|n| {
        let mine = throttle.attempt(mine, address(1), false, now);
        if let Ok(attempt) = &mine {
            throttle.succeeded(attempt);
        }
        throttle.attempt(account(&format!("victim {n}")), address(1), false, now).is_ok()
    });
    assert_eq!(tried.count(), 11);
}

#[test]
fn an_attempt_that_could_not_be_checked_does_not_count() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    for number in 0..200 {
        let attempt = throttle.attempt(admin(), address(number % 3), false, now).unwrap();
        throttle.unchecked(&attempt);
    }
    assert!(throttle.attempt(admin(), address(0), false, now).is_ok());
}

#[test]
fn what_is_remembered_of_wrong_logins_is_bounded_and_an_account_under_attack_stays() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    for number in 0..20 {
        throttle.attempt(admin(), address(number), false, now).unwrap();
    }
    for number in 0..25_000 {
        throttle.attempt(account(&number.to_string()), address(100 + number), false, now).unwrap();
    }
    assert!((9_000..=10_000).contains(&throttle.remembered()), "{}", throttle.remembered());
    assert!(throttle.attempt(admin(), address(90_000), false, now).is_err());
    throttle.attempt(account("new"), address(90_001), false, now + Duration::from_mins(10)).unwrap();
    assert!(throttle.remembered() <= 10_000);
}

#[test]
fn p31_known_and_short_secrets_are_refused_by_name() {
    let refused = |password: &str| {
        let settings = AuthSettings { password: Some(password.into()), ..AuthSettings::default() };
        check_settings(&settings).err().unwrap_or_else(|| panic!("{password}"))
    };
    for password in [
        "admin123",
        "ADMIN123",
        "Admin123!",
        "admin2026",
        "password",
        "Password123!",
        "changeme",
        "admin",
        "admin!!!!",
        "short",
        "",
        "aaaaaaaaaaaa",
        "your-secure-password",
        "your_strong_password_here",
        "change-me-in-production",
        "<your password>",
        "${ADMIN_PASSWORD}",
    ] {
        let error = refused(password);
        assert_eq!(error.key, "Auth:Password", "{password}");
        assert!(password.is_empty() || password.len() < 6 || !error.to_string().contains(password), "{error}");
    }
    let short = AuthSettings { jwt_secret: Some("x".repeat(31).into()), ..AuthSettings::default() };
    assert_eq!(check_settings(&short).unwrap_err().key, "Auth:JwtSecret");
    for username in ["", " ", " admin", "ad\u{7}min"] {
        let settings = AuthSettings { username: username.to_owned(), ..AuthSettings::default() };
        assert_eq!(check_settings(&settings).unwrap_err().key, "Auth:Username", "{username:?}");
    }
    for session_timeout in [0, 366 * 86_400 + 1] {
        let settings = AuthSettings { session_timeout, ..AuthSettings::default() };
        assert_eq!(check_settings(&settings).unwrap_err().key, "Auth:SessionTimeout");
    }
    let fine = AuthSettings {
        password: Some("a long enough one".into()),
        jwt_secret: Some(secret()),
        ..AuthSettings::default()
    };
    assert_eq!(check_settings(&fine), Ok(()));
}

#[test]
fn the_cookie_is_found_among_others() {
    let mut headers = HeaderMap::new();
    assert_eq!(cookie(&headers), None);
    headers.append("cookie", HeaderValue::from_static("a=b; authToken=x.y.z; c=d"));
    assert_eq!(cookie(&headers), Some("x.y.z"));
}

#[test]
fn only_pages_of_the_same_origin_count_as_ours() {
    let check = |pairs: &[(&'static str, &'static str)]| {
        let headers =
            pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
        same_origin(&headers.collect(), &Uri::from_static("/admin/groups"))
    };
    assert!(check(&[("sec-fetch-site", "same-origin")]));
    assert!(!check(&[("sec-fetch-site", "same-site"), ("origin", "https://a.test"), ("host", "a.test")]));
    assert!(!check(&[("sec-fetch-site", "cross-site")]));
    assert!(check(&[("origin", "http://a.test:5000"), ("host", "a.test:5000")]));
    assert!(!check(&[("origin", "http://b.test:5000"), ("host", "a.test:5000")]));
    assert!(!check(&[("origin", "null"), ("host", "a.test:5000")]));
    assert!(!check(&[("host", "a.test:5000")]));
}
