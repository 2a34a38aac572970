use bytes::Bytes;

use super::take;

fn taken(body: &'static str, in_url: Option<&str>) -> Option<(String, Vec<String>)> {
    let further = take(&Bytes::from_static(body.as_bytes()), in_url).unwrap()?;
    let models = further.models.iter().map(ToString::to_string).collect();
    Some((String::from_utf8(further.body.to_vec()).unwrap(), models))
}

#[test]
fn the_models_are_taken_out_of_the_body() {
    let some = |body: &str, models: &[&str]| Some((body.to_owned(), models.iter().map(ToString::to_string).collect()));
    assert_eq!(taken(r#"{"model":"a","n":1}"#, None), None);
    assert_eq!(taken(r#"{"model":"a","user":"models"}"#, None), None);
    assert_eq!(
        taken(r#"{"model":"a","models":["b","c","b","a"],"n":1}"#, None),
        some(r#"{"model":"a","n":1}"#, &["b", "c"])
    );
    assert_eq!(taken(r#"{"model":"a","models":[]}"#, None), some(r#"{"model":"a"}"#, &[]));
    assert_eq!(taken(r#"{"models":["b"],"contents":[]}"#, Some("a")), some(r#"{"contents":[]}"#, &["b"]));
}

#[test]
fn the_first_is_the_model_where_there_is_none() {
    let (body, models) = taken(r#"{"models":["a","b"],"n":1}"#, None).unwrap();
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((body, models), (serde_json::json!({"model": "a", "n": 1}), vec!["b".to_owned()]));
}

#[test]
fn what_is_no_list_of_names_is_refused() {
    for body in [
        r#"{"models":"a"}"#,
        r#"{"models":[1]}"#,
        r#"{"models":["1","2","3","4","5","6","7","8","9"]}"#,
        r#"{"models":["a"],"models":["b"]}"#,
        r#"{"models":["a"],"Models":["b"]}"#,
    ] {
        let error = take(&Bytes::from_static(body.as_bytes()), None).unwrap_err();
        assert_eq!(error.code(), "invalid_request", "{body}");
    }
}
