use super::{Auth, Key};

const BEDROCK: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com";

fn aws<'k>(text: &'k str, base_url: &'k str) -> Result<[&'k str; 4], &'static str> {
    match Auth::AwsSigV4.key(text, base_url)? {
        Key::Aws(key) => Ok([key.access_key_id, key.secret_access_key, key.session_token.unwrap_or("-"), key.region]),
        Key::BedrockApiKey(key) => Ok(["bearer", key, "-", "-"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_access_key_of_aws() {
    assert_eq!(aws("AKIA1:s/e+c=", BEDROCK), Ok(["AKIA1", "s/e+c=", "-", "eu-central-1"]));
    assert_eq!(aws("ASIA1:s:to/ken==", BEDROCK), Ok(["ASIA1", "s", "to/ken==", "eu-central-1"]));
    assert_eq!(aws("AKIA1:s@us-gov-west-1", BEDROCK), Ok(["AKIA1", "s", "-", "us-gov-west-1"]));
    assert_eq!(aws("ASIA1:s:t@us-east-1", "http://127.0.0.1:9"), Ok(["ASIA1", "s", "t", "us-east-1"]));
    for wrong in ["AKIA1", "AKIA1:", ":s", "AKIA1:s:", "a b:s", "AKIA1:s:t:u", "AKIA1:s e", "sk-123", ""] {
        assert!(aws(wrong, BEDROCK).unwrap_err().contains("ACCESS_KEY_ID:SECRET_ACCESS_KEY"), "{wrong}");
    }
    assert!(aws("AKIA1:s@home", BEDROCK).unwrap_err().contains("region"));
    assert!(aws("AKIA1:s", "http://127.0.0.1:9").unwrap_err().contains("@us-east-1"));
}

#[test]
fn an_api_key_of_bedrock() {
    assert_eq!(aws("ABSKQmVkcm9j", "http://h"), Ok(["bearer", "ABSKQmVkcm9j", "-", "-"]));
    assert_eq!(aws("bedrock-api-key-YmVk", "http://h"), Ok(["bearer", "bedrock-api-key-YmVk", "-", "-"]));
}

#[test]
fn the_region_is_in_the_host() {
    for (base_url, region) in [
        ("https://bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
        ("https://bedrock-runtime-fips.us-gov-east-1.amazonaws.com", Some("us-gov-east-1")),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
        ("https://vpce-1a-2b.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com:443/x", Some("ap-southeast-2")),
        ("https://bedrock-runtime.internal", None),
        ("https://bedrock.internal-proxy-1.example.com", None),
        ("https://gateway.example.com", None),
    ] {
        assert_eq!(super::region_of(base_url), region, "{base_url}");
    }
}

fn account(text: &str) -> Result<String, &'static str> {
    match Auth::GoogleServiceAccount.key(text, "https://h")? {
        Key::ServiceAccount(account) => Ok(account.token_uri),
        other => panic!("{other:?}"),
    }
}

fn file(uri: &str) -> String {
    let pem = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    serde_json::json!({"type": "service_account", "client_email": "a@b", "private_key": pem, "token_uri": uri})
        .to_string()
}

#[test]
fn the_key_file_of_a_service_account() {
    assert_eq!(account(&file("https://oauth2.googleapis.com/token")).unwrap(), "https://oauth2.googleapis.com/token");
    let without = file("").replace(r#","token_uri":"""#, "");
    assert_eq!(account(&without).unwrap(), "https://oauth2.googleapis.com/token");
    for wrong in ["sk-1", "{}", r#"{"type":"service_account","client_email":"a","private_key":"k"}"#] {
        assert!(account(wrong).unwrap_err().contains("JSON key file"), "{wrong}");
    }
    let damaged = file("https://h").replace("AAAA", "AA!");
    assert!(account(&damaged).unwrap_err().contains("not base64"));
    let user = file("https://h").replace("service_account", "authorized_user");
    assert!(account(&user).unwrap_err().contains("not that of a service account"));
}

#[test]
fn tokens_are_asked_for_where_nobody_listens_on_the_way() {
    for safe in ["https://h/token", "https://h:8443", "http://127.0.0.1:9/t", "http://localhost/t", "http://[::1]:9/t"]
    {
        assert!(account(&file(safe)).is_ok(), "{safe}");
    }
    for unsafe_uri in ["http://h/token", "http://127.0.0.1.example.com/", "https://", "https://u@h/", "ftp://h", ""] {
        assert!(account(&file(unsafe_uri)).is_err(), "{unsafe_uri}");
    }
}

#[test]
fn a_key_is_never_printed() {
    let key = Auth::AwsSigV4.key("AKIA1:secret", BEDROCK).unwrap();
    assert!(!format!("{key:?}").contains("secret"));
    assert!(matches!(Auth::Bearer.key("sk", "https://h"), Ok(Key::Plain("sk"))));
}
