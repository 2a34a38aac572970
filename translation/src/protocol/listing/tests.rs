use super::ModelPage;

#[track_caller]
fn reads(body: &str, ids: &[&str], next: Option<(&'static str, &str)>) {
    let page = ModelPage::read(body.as_bytes()).unwrap();
    assert_eq!(page.ids.iter().map(String::as_str).collect::<Vec<_>>(), ids);
    assert_eq!(page.next.as_ref().map(|(name, value)| (*name, value.as_str())), next);
}

#[test]
fn lists_of_all_vendors_are_read() {
    reads(
        r#"{"object":"list","data":[{"id":"gpt-4o","object":"model"},{"id":"o3"},{"id":"o3"}]}"#,
        &["gpt-4o", "o3"],
        None,
    );
    let last = r#"{"data":[{"type":"model","id":"claude-haiku-4-5"}],"has_more":false,"last_id":"claude-haiku-4-5"}"#;
    reads(last, &["claude-haiku-4-5"], None);
    reads(r#"{"models":[{"name":"models/gemini-2.5-flash"}]}"#, &["gemini-2.5-flash"], None);
    reads(r#"[{"id":"meta/llama"},"qwen"]"#, &["meta/llama", "qwen"], None);
    reads(r#"{"object":"list","data":[]}"#, &[], None);
}

#[test]
fn a_list_in_pages_says_how_to_get_the_next() {
    reads(r#"{"data":[{"id":"a"}],"has_more":true,"last_id":"a"}"#, &["a"], Some(("after_id", "a")));
    reads(r#"{"models":[{"name":"models/a"}],"nextPageToken":"t"}"#, &["a"], Some(("pageToken", "t")));
    reads(r#"{"models":[{"name":"models/a"}],"nextPageToken":""}"#, &["a"], None);
}

#[test]
fn what_is_no_list_is_none() {
    for body in ["", "<html>", "{}", r#"{"error":{"message":"no"}}"#, r#"{"data":"x"}"#, "7"] {
        assert_eq!(ModelPage::read(body.as_bytes()), None, "{body}");
    }
}
