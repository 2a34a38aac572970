//! Whole exchanges: those of `tests/fixtures`, and recorded traffic where there is some.

mod exchange;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn files(folder: &Path) -> Vec<(String, Value)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let json = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| (path.display().to_string(), serde_json::from_slice(&fs::read(&path).unwrap()).unwrap())).collect()
}

#[test]
fn exchanges_of_the_documentation() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/openai_chat"));
    let files = files(folder);
    assert!(files.len() >= 40, "{}", files.len());
    for (name, exchange) in files {
        let status = exchange["status"].as_u64().unwrap_or(200);
        exchange::check(&name, &exchange["request"], status, &exchange["response"], exchange["sse"].as_str());
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "says what it skips")]
fn recorded_exchanges() {
    let usual = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/wire"));
    let folder = std::env::var_os("WIRE_RECORDINGS").map_or_else(usual, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: recorded_exchanges");
        return;
    }
    for kind in ["openai-chat", "compat-chat"] {
        for (name, exchange) in files(&folder.join(kind)) {
            let response = &exchange["response"];
            let status = response["status"].as_u64().unwrap();
            exchange::check(&name, &exchange["request"]["body"], status, &response["body"], response["sse"].as_str());
        }
    }
    for (name, exchange) in files(&folder.join("response-only")) {
        if name.contains("/openai-chat--") {
            let response = &exchange["response"];
            let status = response["status"].as_u64().unwrap();
            exchange::check(&name, &Value::Null, status, &response["body"], response["sse"].as_str());
        }
    }
}
