use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};

use super::*;
use crate::crypto::random_token;

#[test]
fn secrets_without_chance_in_them_are_told_by_their_kind() {
    let counter: Vec<u8> = (0..32).collect();
    let steps: Vec<u8> = (0..32_u8).map(|number| number.wrapping_mul(0x11)).collect();
    let cases = [
        ("a".repeat(40), Weakness::FewCharacters),
        ("ab".repeat(20), Weakness::FewCharacters),
        ("0".repeat(64), Weakness::FewCharacters),
        ("00ff".repeat(16), Weakness::FewCharacters),
        (BASE64.encode([7; 32]), Weakness::FewCharacters),
        (hex(&[0xd7; 32]), Weakness::FewCharacters),
        ("kX9v-2mQ7_pLw4Zt".repeat(3), Weakness::Repeats),
        ("kX9v-2mQ7_pLw4Zt1kX9v-2mQ7_pLw4Zt2".to_owned(), Weakness::Repeats),
        (hex(&b"\x9f\x13\x5a\xe8\x21\x7c".repeat(6)), Weakness::Repeats),
        (BASE64.encode(b"\x9f\x13\x5a\xe8\x21\x7c\xb4".repeat(5)), Weakness::Repeats),
        ("0123456789abcdef0123456789abcdef".to_owned(), Weakness::Sequence),
        ("fedcba9876543210fedcba9876543210".to_owned(), Weakness::Sequence),
        ("abcdefghijklmnopqrstuvwxyzABCDEF".to_owned(), Weakness::Sequence),
        ("qwertyuiopasdfghjklzxcvbnm123456".to_owned(), Weakness::Sequence),
        ("1234567891011121314151617181920212223".to_owned(), Weakness::Sequence),
        (hex(&counter), Weakness::Sequence),
        (hex(&counter).to_uppercase(), Weakness::Sequence),
        (BASE64.encode(&counter), Weakness::Sequence),
        (URL_SAFE_NO_PAD.encode(&counter), Weakness::Sequence),
        (BASE64.encode(&steps), Weakness::Sequence),
        ("correct horse battery staple correct".to_owned(), Weakness::Words),
        ("this is the key that opens our whole gateway".to_owned(), Weakness::Words),
        ("korrekt-pferd-batterie-klammer-kupfer".to_owned(), Weakness::Words),
        ("TheQuickBrownFoxJumpsOverTheLazyDog2024".to_owned(), Weakness::Words),
        (BASE64.encode("correct horse battery staple correct"), Weakness::Words),
        (hex(b"correct horse battery staple correct"), Weakness::Words),
        ("your-jwt-secret-change-in-production".to_owned(), Weakness::Known),
        ("OrchestrationApi-SecretKey-2025-ChangeMeInProduction".to_owned(), Weakness::Known),
        ("my-super-secret-key-32-characters".to_owned(), Weakness::Known),
        ("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4".to_owned(), Weakness::Known),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(), Weakness::Known),
        (hex(&sha256(b"admin123")), Weakness::Known),
        (BASE64.encode("change-me-change-me-change-me-now"), Weakness::Known),
        ("${ORCHESTRATION_MASTER_KEY_0123456789}".to_owned(), Weakness::Known),
    ];
    for (secret, wanted) in cases {
        assert_eq!(weakness(&secret), Some(wanted), "{secret}");
    }
}

#[test]
fn random_secrets_of_every_form_are_fine() {
    for _ in 0..200 {
        let token = random_token(32).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        let alphabet = |letters: &[u8], length: usize| -> String {
            bytes
                .iter()
                .cycle()
                .zip(0..length)
                .map(|(byte, at)| char::from(letters[(usize::from(*byte) + at / 32 * 7) % letters.len()]))
                .collect()
        };
        let secrets = [
            hex(&bytes),
            hex(&bytes[..16]),
            hex(&bytes).to_uppercase(),
            BASE64.encode(&bytes),
            BASE64.encode(&bytes[..24]),
            alphabet(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 32),
            format!("prod-{token}"),
            token.clone(),
        ];
        for secret in secrets {
            assert_eq!(weakness(&secret), None, "{secret}");
        }
    }
    for secret in [
        "8f1c0e5d7a3b49c2b6d4e8f0a1c3e5d7f9b1d3f5",
        "c4b2a0e8d6f4c2b0a8e6d4f2c0b8a6e4d2f0c8b6",
        "1d3f5b7d9e1c3a5f7b9d1e3c5a7f9b1d3e5c7a9f",
        "kX9v-2mQ7_pLw4Zt8Rb1Nc6Yh3Ju5Ds0Ae",
    ] {
        assert_eq!(weakness(secret), None, "{secret}");
    }
}

#[test]
fn texts_that_were_to_be_replaced_are_told_from_passwords() {
    for placeholder in [
        "your-secure-password",
        "your_password",
        "YOUR-STRONG-PASSWORD-HERE",
        "changeme-now",
        "Change_Me!",
        "change-this-password",
        "replace-me-please",
        "<password>",
        "${ADMIN_PASSWORD}",
        "{{ .Values.password }}",
        "你的密码在这里",
    ] {
        assert!(is_placeholder(placeholder), "{placeholder}");
    }
    for password in ["a password for tests", "correct horse battery", "a-password-of-the-operator-1", "hunter2-hunter3"]
    {
        assert!(!is_placeholder(password), "{password}");
    }
}
