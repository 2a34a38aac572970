use proptest::prelude::*;

use super::*;

/// What is written of `event`.
fn written(event: &str, format: LogFormat, colours: bool) -> String {
    let mut writer = Harmless::new(Vec::new(), format, colours);
    assert_eq!(writer.write(event.as_bytes()).unwrap(), event.len());
    String::from_utf8(writer.inner).unwrap()
}

#[test]
fn plain_events_pass_as_they_are() {
    for event in ["{\"message\":\"a\"}\n", "INFO a: b=\"ü 例 🎉\"\tc\n", "", "no end"] {
        for format in [LogFormat::Json, LogFormat::Text] {
            assert_eq!(written(event, format, false), event);
        }
    }
}

#[test]
fn what_ends_lines_or_turns_text_is_written_out() {
    let json = "{\"message\":\"a\u{202e}b\u{2028}c\u{85}d\u{2069}\"}\n";
    assert_eq!(written(json, LogFormat::Json, false), "{\"message\":\"a\\u202eb\\u2028c\\u0085d\\u2069\"}\n");
    let text = "INFO a\r\nERROR forged \u{1b}[31m\u{202e}\u{0}\n";
    let harmless = "INFO a\\r\\nERROR forged \\u{1b}[31m\\u{202e}\\u{0}\n";
    assert_eq!(written(text, LogFormat::Text, false), harmless);
}

#[test]
fn colours_stay_where_the_formatter_writes_them() {
    assert_eq!(written("\u{1b}[32mINFO\u{1b}[0m a\nb\n", LogFormat::Text, true), "\u{1b}[32mINFO\u{1b}[0m a\\nb\n");
}

proptest! {
    /// Whatever stands in a value, the event is one line of JSON that says the same.
    #[test]
    fn json_says_what_it_said(value in "\\PC*|[\u{0}-\u{ff}\u{2000}-\u{206f}]*") {
        let event = serde_json::json!({ "message": value }).to_string() + "\n";
        let out = written(&event, LogFormat::Json, false);
        let line = out.strip_suffix('\n').unwrap();
        let raw = ['\n', '\r', '\u{1b}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}'];
        prop_assert!(!line.contains(raw));
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        prop_assert_eq!(read["message"].as_str(), Some(value.as_str()));
    }
}
