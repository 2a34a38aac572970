//! Access tokens of Google.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderValue;
use serde_json::{Value, json};
use shared::time::now_ms;
use tokio::time::Instant;
use translation::vendors::Auth;

use super::super::google::Tokens;
use super::{Credential, Fake, Say, Way, post, say};
use crate::error::GatewayError;
use crate::route::fixtures::{group, key, snapshot};
use crate::route::kept::Kept;
use crate::route::table::RouteTable;

/// Made once: it takes a while.
static PAIR: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

/// The key file of a service account whose tokens are to be had at `url`.
pub(super) fn key_file(url: &str) -> String {
    let der: Pkcs8V1Der<'_> = PAIR.as_der().unwrap();
    let body = STANDARD.encode(der.as_ref());
    let lines: Vec<_> = body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    json!({
        "type": "service_account", "project_id": "p", "client_email": "gateway@p.iam.gserviceaccount.com",
        "private_key_id": "key-1", "private_key": pem, "token_uri": format!("{url}/token"),
    })
    .to_string()
}

pub(super) fn granted(number: usize) -> Say {
    say(200, json!({"access_token": format!("ya29.{number}"), "expires_in": 3599, "token_type": "Bearer"}).to_string())
}

fn tokens(url: &str) -> Arc<Tokens> {
    let credential = Credential::of(Auth::GoogleServiceAccount, &key_file(url), "https://h", None).unwrap();
    Arc::clone(credential.tokens().unwrap())
}

/// As if the token had been got a while ago: to be renewed since now, and lasting for `left` more.
fn age(tokens: &Tokens, left: Duration) {
    let now = Instant::now();
    tokens.age(now, now + left);
}

const SOON: Duration = Duration::from_secs(5);

fn part(text: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_is_got_with_a_signed_assertion_and_kept() {
    let fake = Fake::new(|number, _| granted(number)).await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    let credential = Credential::Google(Arc::clone(&tokens));
    for _ in 0..2 {
        let (mut request, body) = post("https://h", "{}");
        credential.put(&mut request, &body, way.errand(SOON)).await.unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer ya29.0");
        assert!(request.headers()["authorization"].is_sensitive());
    }
    let seen = fake.seen();
    assert_eq!((seen.len(), seen[0].uri.path()), (1, "/token"));
    assert_eq!(seen[0].header("content-type"), "application/x-www-form-urlencoded");
    let form: Vec<(String, String)> = form_urlencoded::parse(&seen[0].body).into_owned().collect();
    assert_eq!(form[0], ("grant_type".to_owned(), "urn:ietf:params:oauth:grant-type:jwt-bearer".to_owned()));
    let (signed, signature) = form[1].1.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    assert_eq!(part(header), json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    let claims = part(claims);
    assert_eq!(claims["iss"], "gateway@p.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], format!("{}/token", fake.url));
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    let issued = claims["iat"].as_i64().unwrap();
    assert!((now_ms() / 1000 - issued).abs() < 60);
    assert_eq!(claims["exp"].as_i64(), Some(issued + 3600));
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PAIR.public_key().as_ref());
    public.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    assert!(!format!("{tokens:?}").contains("ya29"));
}

#[tokio::test]
async fn one_request_asks_and_the_others_wait_for_it() {
    let fake = Fake::new(|number, _| granted(number).after(Duration::from_millis(100))).await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    let all = (0..20).map(|_| tokens.get(way.errand(SOON)));
    for token in futures_util::future::join_all(all).await {
        assert_eq!(token.unwrap(), "Bearer ya29.0");
    }
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn an_older_token_is_used_while_a_new_one_is_got() {
    let slow = |number| Duration::from_millis(if number == 0 { 0 } else { 200 });
    let fake = Fake::new(move |number, _| granted(number).after(slow(number))).await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    tokens.get(way.errand(SOON)).await.unwrap();
    age(&tokens, Duration::from_mins(4));
    assert!(tokens.at_hand().is_none());
    let all = (0..5).map(|_| tokens.get(way.errand(SOON)));
    let mut got: Vec<_> = futures_util::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
    got.sort_by_key(|token| token.to_str().unwrap().to_owned());
    assert_eq!(got, ["Bearer ya29.0", "Bearer ya29.0", "Bearer ya29.0", "Bearer ya29.0", "Bearer ya29.1"]);
    assert_eq!(fake.seen().len(), 2);
    // One that has run out is not sent.
    age(&tokens, Duration::ZERO);
    assert_eq!(tokens.get(way.errand(SOON)).await.unwrap(), "Bearer ya29.2");
}

#[tokio::test]
async fn an_older_token_is_used_while_none_can_be_got() {
    let works = Arc::new(AtomicBool::new(true));
    let fake_works = Arc::clone(&works);
    let fake =
        Fake::new(move |number, _| if fake_works.load(Ordering::Relaxed) { granted(number) } else { say(503, "") })
            .await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    tokens.get(way.errand(SOON)).await.unwrap();
    works.store(false, Ordering::Relaxed);
    age(&tokens, Duration::from_mins(4));
    for _ in 0..3 {
        assert_eq!(tokens.get(way.errand(SOON)).await.unwrap(), "Bearer ya29.0");
    }
    // The service is not pressed.
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn a_key_that_is_refused_fails_with_words_and_is_not_tried_at_once_again() {
    let fake =
        Fake::new(|_, _| say(400, r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#)).await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    for _ in 0..3 {
        let error = tokens.get(way.errand(SOON)).await.unwrap_err();
        assert_eq!(error.status(), 502);
        assert!(error.to_string().contains("refused the key"), "{error}");
    }
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn answers_that_are_none_and_services_that_are_not_there() {
    for answer in ["", "{}", r#"{"access_token":"a\nb","expires_in":3600}"#, r#"{"access_token":"a"}"#] {
        let fake = Fake::new(move |_, _| say(200, answer)).await;
        let error = tokens(&fake.url).get(Way::new().errand(SOON)).await.unwrap_err();
        assert!(error.to_string().contains("cannot be read"), "{answer}: {error}");
    }
    let error = tokens("http://127.0.0.1:9").get(Way::new().errand(SOON)).await.unwrap_err();
    assert!(error.to_string().contains("could not be reached"), "{error}");
}

#[tokio::test]
async fn a_service_that_hangs_holds_nobody_up_for_longer_than_allowed() {
    let fake = Fake::new(|number, _| granted(number).after(Duration::from_mins(1))).await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    let started = Instant::now();
    let all = (0..3).map(|_| tokens.get(way.errand(Duration::from_millis(200))));
    for token in futures_util::future::join_all(all).await {
        assert!(matches!(token, Err(GatewayError::Token(why)) if why.contains("in time")));
    }
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn a_token_that_was_refused_is_got_anew() {
    let fake = Fake::new(|number, _| granted(number)).await;
    let (way, tokens) = (Way::new(), tokens(&fake.url));
    let first = tokens.get(way.errand(SOON)).await.unwrap();
    assert!(tokens.forget(&first));
    assert_eq!(tokens.get(way.errand(SOON)).await.unwrap(), "Bearer ya29.1");
    // Another request has got a new one in the meantime.
    assert!(tokens.forget(&first));
    assert_eq!(tokens.get(way.errand(SOON)).await.unwrap(), "Bearer ya29.1");
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn a_change_of_config_keeps_the_tokens_of_the_keys_that_stay() {
    let fake = Fake::new(|number, _| granted(number)).await;
    let way = Way::new();
    let compiled = |secret: &str, previous: Option<&Kept>| {
        let mut group = group("g", &["m"]);
        group.provider_type = "vertex".into();
        let key = Arc::make_mut(&mut group.upstream_keys[0]);
        key.secret = secret.into();
        RouteTable::compile(Arc::new(snapshot([group], [key_of_a_client()])), previous)
    };
    let tokens_of = |table: &RouteTable| Arc::clone(table.routes("m")[0].group.keys[0].credential.tokens().unwrap());
    let before = compiled(&key_file(&fake.url), None);
    tokens_of(&before).get(way.errand(SOON)).await.unwrap();
    let after = compiled(&key_file(&fake.url), Some(&before.kept));
    assert_eq!(tokens_of(&after).at_hand(), Some(HeaderValue::from_static("Bearer ya29.0")));
    let other = compiled(&key_file("https://elsewhere"), Some(&after.kept));
    assert_eq!(tokens_of(&other).at_hand(), None);
    // A key of no use is left out; the control plane refuses it.
    assert!(compiled("sk-1", None).routes("m")[0].group.keys.is_empty());
}

fn key_of_a_client() -> shared::snapshot::ProxyKey {
    key("k", "sk-client")
}

#[test]
fn a_private_key_that_is_none_is_named() {
    let file = |pem: &str| json!({"type": "service_account", "client_email": "a@b", "private_key": pem}).to_string();
    let problem = |pem: &str| Credential::of(Auth::GoogleServiceAccount, &file(pem), "https://h", None).unwrap_err();
    let framed = |body: &str| format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----");
    assert!(problem(&framed("!!!")).contains("not base64"));
    assert!(problem(&framed("AAAA")).contains("PKCS #8"));
    assert!(problem("AAAA").contains("JSON key file"));
}
