//! A small value that a JSON Schema describes, to try code with.

use serde_json::{Map, Value, json};

/// How deep a sample goes: what is nested deeper is `null`.
const DEPTH_MAX: u32 = 16;
/// Most schemas that one sample is made of: references let a short schema be endless.
const SCHEMAS_MAX: u32 = 200;
/// Largest sample, in bytes of JSON: a larger one is `null`.
const SAMPLE_BYTES_MAX: usize = 16 * 1024;

/// A value for `schema`: its example, default or first choice where it has one, otherwise the least that its type
/// and its required properties ask for. What constraints beyond these ask for is not looked at.
pub(super) fn of(schema: &Value) -> Value {
    let sample = at(schema, schema, 0, &mut { SCHEMAS_MAX });
    if sample.to_string().len() > SAMPLE_BYTES_MAX {
        return Value::Null;
    }
    sample
}

fn at(schema: &Value, root: &Value, depth: u32, left: &mut u32) -> Value {
    let Some(object) = schema.as_object() else {
        return Value::Null;
    };
    if depth > DEPTH_MAX || *left == 0 {
        return Value::Null;
    }
    *left -= 1;
    if let Some(given) = given(object) {
        return given.clone();
    }
    let target = object.get("$ref").and_then(Value::as_str);
    if let Some(pointer) = target.and_then(|target| target.strip_prefix('#')) {
        return root
            .pointer(pointer)
            .map_or(Value::Null, |target| at(target, root, depth + 1, left));
    }
    for keyword in ["oneOf", "anyOf"] {
        let choices = object.get(keyword).and_then(Value::as_array);
        if let Some(first) = choices.and_then(|choices| choices.first()) {
            return at(first, root, depth + 1, left);
        }
    }
    match type_of(object) {
        "object" => properties(object, root, depth, left),
        "array" => items(object, root, depth, left),
        "string" => json!(text(object)),
        "integer" | "number" => object
            .get("minimum")
            .cloned()
            .unwrap_or_else(|| object.get("exclusiveMinimum").map_or(json!(1), above)),
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

/// What the schema itself gives as a value.
fn given(schema: &Map<String, Value>) -> Option<&Value> {
    let first = |keyword: &str| schema.get(keyword)?.as_array()?.first();
    schema
        .get("const")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default"))
        .or_else(|| first("enum"))
}

/// The first type that is not `null`; an object where only its properties are said.
fn type_of(schema: &Map<String, Value>) -> &str {
    let own = match schema.get("type") {
        Some(Value::String(one)) => Some(one.as_str()),
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null"),
        _ => None,
    };
    let is_object = schema.contains_key("properties") || schema.contains_key("required");
    own.unwrap_or(if is_object { "object" } else { "null" })
}

fn properties(schema: &Map<String, Value>, root: &Value, depth: u32, left: &mut u32) -> Value {
    let described = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_str);
    let filled = names.map(|name| {
        let property = described.and_then(|described| described.get(name));
        let value = property.map_or(Value::Null, |property| at(property, root, depth + 1, left));
        (name.to_owned(), value)
    });
    Value::Object(filled.collect())
}

fn items(schema: &Map<String, Value>, root: &Value, depth: u32, left: &mut u32) -> Value {
    let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    match schema.get("items") {
        Some(item) if least > 0 => json!([at(item, root, depth + 1, left)]),
        _ => json!([]),
    }
}

fn text(schema: &Map<String, Value>) -> &'static str {
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => "00000000-0000-7000-8000-000000000000",
        Some("date-time") => "2020-01-01T00:00:00Z",
        Some("date") => "2020-01-01",
        Some("email") => "somebody@example.com",
        Some("uri" | "url") => "https://example.com/",
        _ => "sample",
    }
}

fn above(bound: &Value) -> Value {
    match (bound.as_i64(), bound.as_f64()) {
        (Some(whole), _) => json!(whole.saturating_add(1)),
        (None, Some(real)) => json!(real + 1.0),
        (None, None) => json!(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_the_least_that_a_schema_asks_for() {
        for (schema, sample) in [
            (json!(true), json!(null)),
            (json!({ "type": "object" }), json!({})),
            (json!({ "type": ["null", "string"] }), json!("sample")),
            (json!({ "type": "integer", "minimum": 5 }), json!(5)),
            (json!({ "type": "number", "exclusiveMinimum": 0 }), json!(1)),
            (json!({ "enum": ["a", "b"] }), json!("a")),
            (
                json!({ "type": "string", "examples": ["EUR"] }),
                json!("EUR"),
            ),
            (
                json!({ "type": "array", "items": { "type": "boolean" } }),
                json!([]),
            ),
            (
                json!({
                    "properties": { "a": { "$ref": "#/$defs/A" }, "b": { "type": "string" } },
                    "required": ["a"],
                    "$defs": { "A": { "oneOf": [{ "type": "integer" }] } },
                }),
                json!({ "a": 1 }),
            ),
        ] {
            assert_eq!(of(&schema), sample, "{schema}");
        }
        // A schema of itself ends.
        let endless =
            json!({ "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#" } } });
        assert!(of(&endless).is_object());
        assert_eq!(of(&json!({ "$ref": "#" })), Value::Null);
        let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let next = json!({ "$ref": "#" });
        let each = names.iter().map(|name| (name.clone(), next.clone()));
        let wide = json!({ "required": names, "properties": each.collect::<Map<_, _>>() });
        assert!(of(&wide).to_string().len() <= SAMPLE_BYTES_MAX);
        let large = "x".repeat(SAMPLE_BYTES_MAX);
        assert_eq!(of(&json!({ "const": large })), Value::Null);
    }
}
