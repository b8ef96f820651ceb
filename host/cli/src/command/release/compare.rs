//! `release diff`: two releases side by side.

use serde_json::{Value, json};

use crate::{column::Column, failure::Result, output::Console};

const COLUMNS: &[Column] = &[
    Column::new("WHAT", "/what"),
    Column::new("BEFORE", "/before"),
    Column::new("AFTER", "/after"),
];

/// Shows `diff` as the host answers it: a row for each thing that came, went or changed.
pub(super) fn show(diff: &Value, console: &Console) -> Result<()> {
    if !console.is_table() {
        return console.json(diff);
    }
    let mut rows = Vec::new();
    changed("", diff.get("values"), &mut rows);
    for (word, list) in [("workflow", "workflows"), ("activity", "activities")] {
        let Some(types) = diff.get(list) else {
            continue;
        };
        for name in names(types.get("added")) {
            rows.push(json!({"what": format!("{word} {name}"), "after": "added"}));
        }
        for name in names(types.get("removed")) {
            rows.push(json!({"what": format!("{word} {name}"), "before": "removed"}));
        }
        let of_type = types.get("changed").and_then(Value::as_object);
        for (name, changes) in of_type.into_iter().flatten() {
            changed(&format!("{word} {name} "), Some(changes), &mut rows);
        }
    }
    changed("wants ", diff.get("wants"), &mut rows);
    changed("", diff.get("parts"), &mut rows);
    if rows.is_empty() {
        console.note("they differ in nothing that is told of releases");
    }
    console.list(&Value::Array(rows), COLUMNS)
}

fn names(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn changed(of: &str, changes: Option<&Value>, rows: &mut Vec<Value>) {
    let changes = changes.and_then(Value::as_array);
    for change in changes.into_iter().flatten() {
        let at = change.get("at").and_then(Value::as_str).unwrap_or_default();
        rows.push(json!({
            "what": format!("{of}{}", at.trim_start_matches('/')),
            "before": change.get("before"),
            "after": change.get("after"),
        }));
    }
}
