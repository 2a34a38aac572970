use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use shared::secret::Secret;

use super::{CANARY, Canary, GivenSecrets, Secrets, SecretsError};

#[test]
fn secrets_are_made_once_and_kept_private() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    let first = Secrets::load_or_create(&directory, GivenSecrets::default(), None).unwrap();
    let second = Secrets::load_or_create(&directory, GivenSecrets::default(), None).unwrap();
    let of = |secrets: &Secrets| {
        [&secrets.master_key, &secrets.jwt_secret, &secrets.node_token].map(|secret| secret.expose().to_owned())
    };
    assert_eq!(of(&first), of(&second));
    assert_eq!(first.master_key_id, second.master_key_id);
    let unique: std::collections::HashSet<_> = of(&first).into();
    assert_eq!(unique.len(), 3);
    assert!(unique.iter().all(|secret| secret.len() >= 32));
    let mode = |name: &str| fs::metadata(directory.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("secrets.json"), mode("node-token")), (0o700, 0o600, 0o600));
    assert_eq!(fs::read_to_string(directory.join("node-token")).unwrap(), first.node_token.expose());
    assert!(!format!("{first:?}").contains(first.jwt_secret.expose()));
}

#[test]
fn what_the_operator_brings_goes_first() {
    let directory = tempfile::tempdir().unwrap();
    let token = "kX9v-2mQ7_pLw4Zt8Rb1Nc6Yh3Ju5Ds0Ae";
    let given = GivenSecrets { node_token: Some(Secret::new(token)), ..GivenSecrets::default() };
    let secrets = Secrets::load_or_create(directory.path(), given, None).unwrap();
    assert_eq!(secrets.node_token.expose(), token);
    assert!(!fs::read_to_string(directory.path().join("secrets.json")).unwrap().contains(token));
}

#[test]
fn p31_weak_secrets_are_refused_naming_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let weak = [
        "x".repeat(40),
        "ab".repeat(20),
        "your-secret-key-at-least-32-characters-long".to_owned(),
        "correct horse battery staple correct".to_owned(),
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".to_owned(),
        "k3y-9".to_owned(),
    ];
    for weak in &weak {
        let secret = Some(Secret::new(weak.as_str()));
        let none = GivenSecrets::default();
        for (setting, given) in [
            ("Secrets:MasterKey", GivenSecrets { master_key: secret.clone(), ..none.clone() }),
            ("Auth:JwtSecret", GivenSecrets { jwt_secret: secret.clone(), ..none.clone() }),
            ("Secrets:NodeToken", GivenSecrets { node_token: secret.clone(), ..none.clone() }),
        ] {
            let error = Secrets::load_or_create(directory.path(), given, None).unwrap_err();
            assert!(matches!(error, SecretsError::Weak { .. } | SecretsError::Short(_)), "{error}");
            assert!(error.to_string().starts_with(setting) && !error.to_string().contains(weak), "{error}");
        }
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// What a database holds that was made under the master key of `secrets`.
fn canary(secrets: &Secrets) -> Canary {
    let sealed = secrets.sealing_key().unwrap().seal_text(CANARY, CANARY).unwrap();
    Canary { sealed, database: "database x.db".to_owned() }
}

#[test]
fn nothing_is_made_beside_a_database_that_needs_another_master_key() {
    let (ours, other, empty) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = Secrets::load_or_create(ours.path(), GivenSecrets::default(), None).unwrap();
    Secrets::load_or_create(other.path(), GivenSecrets::default(), None).unwrap();
    let before = fs::read(other.path().join("secrets.json")).unwrap();
    let canary_of_ours = canary(&made);
    let start = |directory: &std::path::Path, key: Option<&str>| {
        let given = GivenSecrets { master_key: key.map(Secret::new), ..GivenSecrets::default() };
        Secrets::load_or_create(directory, given, Some(&canary_of_ours))
    };
    assert_eq!(start(ours.path(), None).unwrap().master_key_id, made.master_key_id);

    let below = empty.path().join("not-made");
    let missing = start(&below, None).unwrap_err().to_string();
    assert!(missing.contains("secrets.json is missing") && missing.contains("database x.db"), "{missing}");
    assert!(missing.contains("--data-dir") && missing.contains("Secrets:MasterKey"), "{missing}");
    assert!(!below.exists());
    let foreign = start(other.path(), None).unwrap_err().to_string();
    assert!(foreign.contains("not the file of the database x.db"), "{foreign}");
    let given = start(&below, Some("kX9v-2mQ7_pLw4Zt8Rb1Nc6Yh3Ju5Ds0Ae")).unwrap_err().to_string();
    assert!(given.starts_with("Secrets:MasterKey is not the key"), "{given}");
    assert!(!below.exists());
    assert_eq!(fs::read(other.path().join("secrets.json")).unwrap(), before);

    // The advice of the message works: the key of the lost file, brought as a setting.
    let brought = start(&below, Some(made.master_key.expose())).unwrap();
    assert_eq!(brought.master_key_id, made.master_key_id);
}

#[test]
fn a_database_whose_master_key_was_brought_asks_for_it_again() {
    let directory = tempfile::tempdir().unwrap();
    let key = "kX9v-2mQ7_pLw4Zt8Rb1Nc6Yh3Ju5Ds0Ae";
    let given = GivenSecrets { master_key: Some(Secret::new(key)), ..GivenSecrets::default() };
    let made = Secrets::load_or_create(directory.path(), given, None).unwrap();
    let told = Secrets::load_or_create(directory.path(), GivenSecrets::default(), Some(&canary(&made))).unwrap_err();
    assert!(told.to_string().contains("Secrets:MasterKey that was set before"), "{told}");
}

#[test]
fn a_damaged_file_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secrets.json"), "{").unwrap();
    let error = Secrets::load_or_create(directory.path(), GivenSecrets::default(), None).unwrap_err();
    assert!(matches!(error, SecretsError::Damaged { .. }));
}

#[test]
fn a_data_directory_that_cannot_be_one_is_named_with_its_flag() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let locked = directory.path().join("locked");
    fs::create_dir_all(locked.join("secrets.lock")).unwrap();
    for path in [file.clone(), file.join("below"), locked] {
        let told = Secrets::load_or_create(&path, GivenSecrets::default(), None).unwrap_err().to_string();
        assert!(told.contains(&path.display().to_string()) && told.contains("--data-dir"), "{told}");
    }
}
