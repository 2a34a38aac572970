use std::sync::Arc;

use translation::Format;
use translation::format::OptionalField;

use super::{MOST_MODELS, Refusals};
use crate::route::fixtures::{group, snapshot};
use crate::route::kept::Kept;
use crate::route::table::RouteTable;

fn field(name: &str) -> &'static OptionalField {
    Format::OpenAiChat.facts().optional_fields.iter().find(|field| field.name == name).unwrap()
}

#[test]
fn refusals_are_of_one_model_and_bounded() {
    let refusals = Refusals::default();
    let model: Arc<str> = "m".into();
    assert!(refusals.learn(&model, field("seed")) && !refusals.learn(&model, field("seed")));
    assert!(refusals.has("m", "seed") && !refusals.has("m", "top_p") && !refusals.has("n", "seed"));
    for number in 0..MOST_MODELS {
        assert!(refusals.learn(&format!("m{number}").into(), field("seed")));
    }
    assert!(!refusals.has("m", "seed"), "others have taken its place");
}

#[test]
fn refusals_outlive_a_change_of_config_but_not_of_their_group() {
    let table = |kept: Option<&Kept>, priority| {
        let mut g = group("g", &["m"]);
        g.priority = priority;
        RouteTable::compile(Arc::new(snapshot([g, group("h", &["m"])], [])), kept)
    };
    let refusals = |table: &RouteTable, id: &str| {
        let group = table.groups().iter().find(|group| &*group.group.id == id).unwrap();
        Arc::clone(&group.refusals)
    };
    let first = table(None, 0);
    for id in ["g", "h"] {
        refusals(&first, id).learn(&"m".into(), field("seed"));
    }
    let second = table(Some(&first.kept), 1);
    assert!(refusals(&second, "h").has("m", "seed"));
    assert!(!refusals(&second, "g").has("m", "seed"));
}
