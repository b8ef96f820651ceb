//! Wide and narrow schemas, and what lies between them.

use serde_json::json;

use super::*;

fn narrowings(wide: &Value, narrow: &Value) -> Vec<Narrowing> {
    super::narrowings(wide, narrow, &mut 1_000)
}

fn bound(keyword: &'static str, wide: Option<Value>, narrow: Value) -> Change {
    Change::Bound {
        keyword,
        wide,
        narrow,
    }
}

/// Each: a wide schema, a narrower one, the place and the change. The other way round there is none.
fn table() -> Vec<(Value, Value, &'static str, Change)> {
    let types = |names: &[&str]| Change::Types(names.iter().map(|&it| it.to_owned()).collect());
    let with = |keyword: &str, value: Value| json!({ "type": "object", keyword: value });
    vec![
        (json!({}), json!(false), "", Change::Everything),
        (
            json!({ "type": "object" }),
            with("required", json!(["a"])),
            "",
            Change::Required("a".into()),
        ),
        (
            json!({ "properties": { "a": {}, "b": {} }, "additionalProperties": false }),
            json!({ "properties": { "a": {} }, "additionalProperties": false }),
            "",
            Change::Property("b".into()),
        ),
        (
            json!({ "type": "object" }),
            with("additionalProperties", json!(false)),
            "",
            Change::Closed,
        ),
        (
            json!({ "properties": { "a/b": { "type": "number" } } }),
            json!({ "properties": { "a/b": { "type": "integer" } } }),
            "/properties/a~1b",
            types(&["number"]),
        ),
        (
            json!({ "type": ["string", "null"] }),
            json!({ "type": "string" }),
            "",
            types(&["null"]),
        ),
        (
            json!({ "enum": ["a", "b"] }),
            json!({ "enum": ["a"] }),
            "",
            Change::Value(json!("b")),
        ),
        (
            json!({ "enum": ["a", "b"] }),
            json!({ "const": "a" }),
            "",
            Change::Value(json!("b")),
        ),
        (
            json!({ "type": "string" }),
            json!({ "type": "string", "enum": ["a"] }),
            "",
            bound("enum", None, json!(["a"])),
        ),
        (
            json!({ "minimum": 1 }),
            json!({ "minimum": 2 }),
            "",
            bound("minimum", Some(json!(1)), json!(2)),
        ),
        (
            json!({}),
            json!({ "maxLength": 9 }),
            "",
            bound("maxLength", None, json!(9)),
        ),
        (
            json!({}),
            json!({ "pattern": "^a" }),
            "",
            bound("pattern", None, json!("^a")),
        ),
        (
            json!({ "items": { "type": "array", "items": {} } }),
            json!({ "items": { "type": "array", "items": { "maximum": 3 } } }),
            "/items/items",
            bound("maximum", None, json!(3)),
        ),
        (
            json!({ "additionalProperties": { "maximum": 4 } }),
            json!({ "additionalProperties": { "maximum": 3 } }),
            "/additionalProperties",
            bound("maximum", Some(json!(4)), json!(3)),
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
            json!({ "anyOf": [{ "type": "string" }] }),
            "/anyOf/1",
            Change::Alternative,
        ),
        (
            json!({ "$ref": "#/$defs/A", "$defs": { "A": { "minimum": 1 } } }),
            json!({ "$ref": "#/$defs/A", "$defs": { "A": { "minimum": 2 } } }),
            "",
            bound("minimum", Some(json!(1)), json!(2)),
        ),
    ]
}

#[test]
fn narrower_is_found_and_wider_is_not() {
    for (wide, narrow, pointer, change) in table() {
        let narrowing = Narrowing {
            pointer: pointer.to_owned(),
            change,
        };
        assert_eq!(narrowings(&wide, &narrow), [narrowing], "{wide} → {narrow}");
        assert_eq!(narrowings(&narrow, &wide), [], "{narrow} → {wide}");
        assert_eq!(narrowings(&wide, &wide), [], "{wide}");
    }
}

#[test]
fn what_evolves_well_is_no_narrowing() {
    for (wide, narrow) in [
        // A new property that may be missing.
        (
            json!({ "type": "object", "properties": {} }),
            json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
        ),
        (json!({ "title": "A" }), json!({ "title": "B" })),
        (json!(false), json!({ "type": "string" })),
        (json!({ "minimum": 1.0 }), json!({ "minimum": 1 })),
        (
            json!({ "oneOf": [{ "const": 1 }, { "const": 2 }] }),
            json!({ "oneOf": [{ "const": 2 }, { "const": 1 }, { "const": 3 }] }),
        ),
    ] {
        assert_eq!(narrowings(&wide, &narrow), [], "{wide} → {narrow}");
    }
}

#[test]
fn schemas_of_themselves_end() {
    let tree = json!({ "properties": { "next": { "$ref": "#" } } });
    let strict = json!({ "properties": { "next": { "$ref": "#" } }, "minProperties": 1 });
    assert!(!narrowings(&tree, &strict).is_empty());
    let endless = json!({ "$ref": "#" });
    assert_eq!(narrowings(&endless, &tree), []);
}

#[test]
fn schemas_that_branch_without_end_are_left() {
    let mut defs = serde_json::Map::new();
    for level in 0..31 {
        let next = json!({ "$ref": format!("#/$defs/{}", level + 1) });
        defs.insert(
            level.to_string(),
            json!({ "anyOf": [next, next], "properties": { "a": next, "b": next } }),
        );
    }
    defs.insert("31".to_owned(), json!({ "minimum": 1 }));
    let bomb = json!({ "$ref": "#/$defs/0", "$defs": defs });
    let mut steps = 1_000;
    assert_eq!(super::narrowings(&bomb, &bomb, &mut steps), []);
    assert_eq!(steps, 0, "it would go on for ever");
}
