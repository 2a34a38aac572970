use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn one_process_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("node");
    let first = DataDir::open(&path).unwrap();
    assert!(matches!(DataDir::open(&path), Err(DataDirError::InUse(_))));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    drop(first);
    DataDir::open(&path).unwrap();
}

#[test]
fn the_id_stays() {
    let root = tempfile::tempdir().unwrap();
    let id = DataDir::open(root.path()).unwrap().node_id().unwrap();
    assert!(!id.is_empty());
    assert_eq!(DataDir::open(root.path()).unwrap().node_id().unwrap(), id);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_named_with_the_flag() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let told = DataDir::open(&file).unwrap_err().to_string();
    assert!(told.contains("it is a file") && told.contains("--data-dir"), "{told}");
}

#[test]
fn uploads_that_an_earlier_run_left_are_deleted() {
    let root = tempfile::tempdir().unwrap();
    let directory = DataDir::open(root.path()).unwrap();
    let uploads = directory.uploads().unwrap();
    assert!(!uploads.exists(), "nothing is made before there is an upload");
    fs::create_dir(&uploads).unwrap();
    fs::create_dir(uploads.join("b")).unwrap();
    fs::write(uploads.join("a"), "left").unwrap();
    assert_eq!(directory.uploads().unwrap(), uploads);
    assert_eq!(fs::read_dir(&uploads).unwrap().count(), 0);
    assert_eq!(fs::metadata(&uploads).unwrap().permissions().mode() & 0o777, 0o700);
}
