//! JSON Schemas of a component's metadata.

use tenterhook_domain::{
    Result,
    component::{MessageType, Metadata},
};

use super::untrue;

/// Largest schema, in bytes of text.
pub(super) const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// Reads the schema `text` of `what`.
///
/// # Errors
/// `component-metadata-invalid` when it is too large or no JSON object or boolean.
pub(super) fn parse(what: &str, text: &str) -> Result<serde_json::Value> {
    if text.len() > SCHEMA_BYTES_MAX {
        return Err(untrue(format!(
            "the schema of {what} has {} bytes, {SCHEMA_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    let schema: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| untrue(format!("the schema of {what} is not JSON: {error}")))?;
    if !schema.is_object() && !schema.is_boolean() {
        return Err(untrue(format!(
            "the schema of {what} is no JSON Schema: it must be an object"
        )));
    }
    Ok(schema)
}

/// Checks every schema of `metadata`; answers how many there are.
///
/// # Errors
/// `component-metadata-invalid`, naming the type and the place in its schema.
pub(super) fn check_all(metadata: &Metadata) -> Result<usize> {
    let mut checked = 0;
    for workflow in &metadata.workflows {
        let name = &workflow.definition.name;
        checked += check(&format!("workflow {name:?}"), &workflow.definition)?;
        for (kind, messages) in [
            ("signal", &workflow.signals),
            ("query", &workflow.queries),
            ("update", &workflow.updates),
        ] {
            for message in messages {
                let what = format!("{kind} {:?} of workflow {name:?}", message.name);
                checked += check(&what, message)?;
            }
        }
    }
    for activity in &metadata.activities {
        checked += check(&format!("activity {:?}", activity.name), activity)?;
    }
    Ok(checked)
}

fn check(what: &str, message: &MessageType) -> Result<usize> {
    let mut checked = 0;
    for (part, schema) in [
        ("input", &message.input_schema),
        ("result", &message.result_schema),
    ] {
        let Some(schema) = schema else { continue };
        checked += 1;
        // A reference to another document cannot be followed: nothing here fetches anything.
        if let Err(error) = jsonschema::validator_for(schema) {
            return Err(untrue(format!(
                "the {part} schema of {what} is no valid JSON Schema: at {:?} {error}; correct it there, or leave the \
                 schema out",
                error.instance_path().to_string()
            )));
        }
    }
    Ok(checked)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use tenterhook_domain::Code;

    use super::*;

    #[test]
    fn a_bad_schema_is_named_with_its_place() {
        let mut metadata = Metadata::default();
        metadata.activities.push(MessageType {
            name: "Charge".to_owned(),
            input_schema: Some(json!({ "type": "object" })),
            result_schema: Some(json!({ "properties": { "a": { "type": 7 } } })),
            ..MessageType::default()
        });
        let error = check_all(&metadata).unwrap_err();
        assert_eq!(error.code(), Code::ComponentMetadataInvalid);
        for part in [
            "result schema of activity \"Charge\"",
            "\"/properties/a/type\"",
        ] {
            assert!(error.detail().contains(part), "{part} in {error}");
        }
        metadata.activities[0].result_schema = None;
        assert_eq!(check_all(&metadata).unwrap(), 1);
    }
}
