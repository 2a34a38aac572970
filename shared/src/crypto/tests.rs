use super::*;

#[test]
fn what_is_sealed_opens_under_the_same_key_and_context_only() {
    let key = SealingKey::derive("k1", b"node token", "last good snapshot").unwrap();
    let other = SealingKey::derive("k1", b"node token", "another purpose").unwrap();
    let sealed = key.seal_text("group/1", "sk-secret").unwrap();
    assert!(sealed.starts_with("k1.") && !sealed.contains("sk-secret"));
    assert_eq!(*key.open_text("group/1", &sealed).unwrap(), "sk-secret");
    assert_eq!(key.open_text("group/2", &sealed), Err(CryptoError::Open));
    assert_eq!(other.open_text("group/1", &sealed), Err(CryptoError::Open));
    let renamed = sealed.replacen("k1.", "k0.", 1);
    assert_eq!(key.open_text("group/1", &renamed), Err(CryptoError::UnknownKey("k0".to_owned())));
}

#[test]
fn damaged_bytes_do_not_open() {
    let key = SealingKey::new("k1", &[7; KEY_LEN]).unwrap();
    let sealed = key.seal("file", b"config").unwrap();
    for index in 0..sealed.len() {
        let mut damaged = sealed.clone();
        damaged[index] ^= 1;
        assert!(key.open("file", &damaged).is_err(), "byte {index}");
        assert!(key.open("file", &sealed[..index]).is_err(), "length {index}");
    }
}

#[test]
fn tokens_differ_and_digests_are_sha256() {
    assert_ne!(random_token(32).unwrap(), random_token(32).unwrap());
    assert_eq!(hex(&sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
