use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Uri};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use shared::crypto::random_token;
use shared::drain::Tasks;
use shared::secret::Secret;
use shared::time::now_ms;

use super::bootstrap::check_settings;
use super::credentials::{cookie, same_origin};
use super::jwt::{Claims, Tokens};
use super::passwords::Passwords;
use super::throttle::Throttle;
use crate::config::AuthSettings;

const ADDRESS: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

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
    let passwords = Passwords::new(&Tasks::new()).await.unwrap();
    let hash = passwords.hash("correct horse".into()).await.unwrap();
    assert!(hash.expose().starts_with("$argon2id$"));
    assert!(passwords.verify("correct horse".into(), Some(&hash)).await.unwrap());
    assert!(!passwords.verify("correct hors".into(), Some(&hash)).await.unwrap());
    assert!(!passwords.verify("correct horse".into(), None).await.unwrap());
}

#[test]
fn five_wrong_logins_a_minute_and_then_none() {
    let (throttle, start) = (Throttle::default(), Instant::now());
    for second in 0..5 {
        assert!(throttle.attempt("admin", ADDRESS, start + Duration::from_secs(second)).is_ok());
    }
    let later = start + Duration::from_secs(10);
    assert_eq!(throttle.attempt("admin", ADDRESS, later).unwrap_err(), Duration::from_secs(50));
    assert!(throttle.attempt("other", ADDRESS, later).is_ok(), "another account");
    let elsewhere = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    assert!(throttle.attempt("admin", elsewhere, later).is_ok(), "another address");
    assert!(throttle.attempt("admin", ADDRESS, start + Duration::from_mins(1)).is_ok(), "the first is a minute old");
    assert!(throttle.attempt("admin", ADDRESS, start + Duration::from_mins(1)).is_err(), "the second is not");
}

#[test]
fn a_right_login_forgives_the_wrong_ones_before() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    for _ in 0..4 {
        throttle.attempt("admin", ADDRESS, now).unwrap();
    }
    let right = throttle.attempt("admin", ADDRESS, now).unwrap();
    throttle.succeeded(&right);
    assert_eq!(throttle.remembered(), 0);
}

#[test]
fn what_is_remembered_of_wrong_logins_is_bounded() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    for number in 0..10_050 {
        throttle.attempt(&number.to_string(), ADDRESS, now + Duration::from_micros(number)).unwrap();
    }
    assert_eq!(throttle.remembered(), 10_000);
}

#[test]
fn p31_known_and_short_secrets_are_refused_by_name() {
    let refused = |password: &str| {
        let settings = AuthSettings { password: Some(password.into()), ..AuthSettings::default() };
        check_settings(&settings).unwrap_err()
    };
    for password in ["admin123", "ADMIN123", "password", "changeme", "admin", "short", ""] {
        let error = refused(password);
        assert_eq!(error.key, "Auth:Password");
    }
    let short = AuthSettings { jwt_secret: Some("x".repeat(31).into()), ..AuthSettings::default() };
    assert_eq!(check_settings(&short).unwrap_err().key, "Auth:JwtSecret");
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
