use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use shared::secret::Secret;

use super::{GivenSecrets, Secrets, SecretsError};

#[test]
fn secrets_are_made_once_and_kept_private() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    let first = Secrets::load_or_create(&directory, GivenSecrets::default()).unwrap();
    let second = Secrets::load_or_create(&directory, GivenSecrets::default()).unwrap();
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
    let secrets = Secrets::load_or_create(directory.path(), given).unwrap();
    assert_eq!(secrets.node_token.expose(), token);
    assert!(!fs::read_to_string(directory.path().join("secrets.json")).unwrap().contains(token));
}

#[test]
fn weak_secrets_are_refused_naming_the_setting() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(40);
    for weak in ["k3y-9", &long, "your-secret-key-at-least-32-characters-long"] {
        let given = GivenSecrets { jwt_secret: Some(Secret::new(weak)), ..GivenSecrets::default() };
        let error = Secrets::load_or_create(directory.path(), given).unwrap_err();
        assert!(matches!(error, SecretsError::Weak { .. }) && error.to_string().contains("Auth:JwtSecret"), "{error}");
        assert!(!error.to_string().contains(weak));
    }
    assert!(!directory.path().join("secrets.json").exists());
}

#[test]
fn a_damaged_file_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secrets.json"), "{").unwrap();
    let error = Secrets::load_or_create(directory.path(), GivenSecrets::default()).unwrap_err();
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
        let told = Secrets::load_or_create(&path, GivenSecrets::default()).unwrap_err().to_string();
        assert!(told.contains(&path.display().to_string()) && told.contains("--data-dir"), "{told}");
    }
}
