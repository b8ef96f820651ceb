//! Inputs held against the JSON Schemas of the release that will run them.
//!
//! Schemas are a tenant's own text. They are compiled without fetching anything, and their patterns run on an
//! engine whose time is linear in the input.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, TypeName,
    component::{MessageType, WorkflowType},
    release::Release,
};

/// Releases whose types are remembered; the oldest goes first.
const RELEASES_CACHED_MAX: usize = 256;
/// Compiled size of one pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;
/// Mismatches that one refusal names.
const MISMATCHES_MAX: usize = 5;
/// Longest description of one mismatch, in characters: it may quote the input.
const MISMATCH_CHARS_MAX: usize = 300;

/// Releases are immutable, so what is remembered under a digest stays true. The plugin is part of the key
/// because the same bytes may be uploaded under two names.
type Key = (PluginName, Digest);

/// The workflow types of releases.
#[derive(Default)]
pub(crate) struct Schemas {
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    releases: HashMap<Key, Arc<WorkflowTypes>>,
    order: VecDeque<Key>,
}

impl Schemas {
    /// The workflow types of that release, if they are remembered.
    pub(crate) fn cached(
        &self,
        plugin: &PluginName,
        digest: &Digest,
    ) -> Option<Arc<WorkflowTypes>> {
        let cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        cached.releases.get(&(plugin.clone(), *digest)).cloned()
    }

    /// Remembers the workflow types of `release`.
    pub(crate) fn remember(&self, plugin: &PluginName, release: Release) -> Arc<WorkflowTypes> {
        let key = (plugin.clone(), release.digest);
        let types = Arc::new(WorkflowTypes::of(release));
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if cached.releases.insert(key.clone(), types.clone()).is_none() {
            cached.order.push_back(key);
        }
        while cached.order.len() > RELEASES_CACHED_MAX {
            if let Some(oldest) = cached.order.pop_front() {
                cached.releases.remove(&oldest);
            }
        }
        types
    }
}

/// What is said to an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MessageKind {
    Signal,
    Query,
    Update,
}

/// The workflow types of one release.
pub(crate) struct WorkflowTypes {
    types: HashMap<String, Known>,
}

/// A workflow type: what starts it, and what is said to it.
struct Known {
    start: Input,
    messages: HashMap<(MessageKind, String), Input>,
}

struct Input {
    schema: Option<Value>,
    validator: OnceLock<Result<Validator, String>>,
}

impl Known {
    fn of(workflow: WorkflowType) -> Self {
        let kinds = [
            (MessageKind::Signal, workflow.signals),
            (MessageKind::Query, workflow.queries),
            (MessageKind::Update, workflow.updates),
        ];
        let messages = kinds.into_iter().flat_map(|(kind, messages)| {
            let input = move |it: MessageType| ((kind, it.name), Input::of(it.input_schema));
            messages.into_iter().map(input)
        });
        Self {
            start: Input::of(workflow.definition.input_schema),
            messages: messages.collect(),
        }
    }
}

impl Input {
    fn of(schema: Option<Value>) -> Self {
        Self {
            schema,
            validator: OnceLock::new(),
        }
    }

    /// Checks that `input` is what `what` takes.
    fn check(&self, what: fmt::Arguments<'_>, input: Option<&Value>) -> Result<()> {
        let Some(schema) = &self.schema else {
            return Ok(());
        };
        match self.validator.get_or_init(|| compile(schema)) {
            Ok(validator) => validate(validator, input.unwrap_or(&Value::Null)),
            Err(why) => Err(Error::new(
                Code::ComponentMetadataInvalid,
                format!("the input schema of {what} cannot be used: {why}"),
            )),
        }
    }
}

impl WorkflowTypes {
    fn of(release: Release) -> Self {
        let workflows = release.metadata.workflows.into_iter();
        Self {
            types: workflows
                .map(|workflow| (workflow.definition.name.clone(), Known::of(workflow)))
                .collect(),
        }
    }

    /// Checks that the release has the type and that `input` is what it takes. May take long: not for a
    /// runtime's thread.
    ///
    /// # Errors
    /// `workflow-type-not-found`; `input-invalid` with the places that do not match;
    /// `component-metadata-invalid` when the schema itself is none.
    pub(crate) fn check(&self, workflow_type: &TypeName, input: Option<&Value>) -> Result<()> {
        let known = self.types.get(&*workflow_type.name).ok_or_else(|| {
            let mut names: Vec<_> = self.types.keys().map(String::as_str).collect();
            names.sort_unstable();
            Error::new(
                Code::WorkflowTypeNotFound,
                format!(
                    "the current release of plugin {} has no workflow {:?}: it has {}",
                    workflow_type.plugin,
                    workflow_type.name,
                    if names.is_empty() {
                        "none".to_owned()
                    } else {
                        names.join(", ")
                    }
                ),
            )
        })?;
        known.start.check(format_args!("{workflow_type}"), input)
    }

    /// Checks that `input` is what a message of an execution of `workflow_type` takes. What the release does not list, it
    /// may handle all the same: that is left to the workflow. May take long: not for a runtime's thread.
    ///
    /// # Errors
    /// As for [`WorkflowTypes::check`], but for the first.
    pub(crate) fn check_message(
        &self,
        workflow_type: &TypeName,
        kind: MessageKind,
        name: &str,
        input: Option<&Value>,
    ) -> Result<()> {
        let known = self.types.get(&*workflow_type.name);
        let known = known.and_then(|known| known.messages.get(&(kind, name.to_owned())));
        match known {
            None => Ok(()),
            Some(known) => known.check(format_args!("{kind:?} {name:?} of {workflow_type}"), input),
        }
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES_MAX))
        .build(schema)
        .map_err(|error| cut(&error.to_string()))
}

fn validate(validator: &Validator, input: &Value) -> Result<()> {
    let mismatches: Vec<_> = validator
        .iter_errors(input)
        .take(MISMATCHES_MAX)
        .map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/" } else { &place };
            format!("at {place}: {}", cut(&error.to_string()))
        })
        .collect();
    if mismatches.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::InputInvalid,
        format!(
            "the input does not match its schema: {}",
            mismatches.join("; ")
        ),
    ))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MISMATCH_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tenterhook_domain::{component::Metadata, release::ReleaseState};

    use super::*;

    fn release(bytes: &[u8], schema: Option<Value>) -> Release {
        let definition = MessageType {
            name: "Pay".into(),
            input_schema: schema,
            ..MessageType::default()
        };
        Release {
            digest: Digest::of(bytes),
            version: None,
            state: ReleaseState::Current,
            bytes: 1,
            uploaded_at: 0,
            origin: "upload".into(),
            metadata: Metadata {
                workflows: vec![WorkflowType {
                    definition,
                    signals: vec![message("cancel", json!({"type": "null"}))],
                    queries: vec![message("status", json!({"type": "null"}))],
                    updates: vec![message("cancel", json!({"type": "string"}))],
                }],
                ..Metadata::default()
            },
            checks: Vec::new(),
            replay: None,
            progress: None,
            double_run: None,
        }
    }

    fn message(name: &str, schema: Value) -> MessageType {
        MessageType {
            name: name.to_owned(),
            input_schema: Some(schema),
            ..MessageType::default()
        }
    }

    #[test]
    fn each_kind_of_message_has_its_own_schema() {
        let types = WorkflowTypes::of(release(b"x", None));
        let check = |workflow: &str, kind, name: &str, input: Option<Value>| {
            let workflow: TypeName = format!("payment.{workflow}").parse().expect("a type name");
            types.check_message(&workflow, kind, name, input.as_ref())
        };
        let why = Some(json!("why"));
        for (kind, name, fits, not) in [
            (MessageKind::Signal, "cancel", None, why.clone()),
            (MessageKind::Query, "status", Some(Value::Null), why.clone()),
            (MessageKind::Update, "cancel", why.clone(), None),
        ] {
            check("Pay", kind, name, fits).expect("what fits");
            let error = check("Pay", kind, name, not).expect_err("what does not");
            assert_eq!(error.code(), Code::InputInvalid, "{kind:?}");
        }
        // What is not listed is the workflow's own affair.
        check("Pay", MessageKind::Signal, "status", why.clone()).expect("another kind's");
        check("Refund", MessageKind::Signal, "cancel", why).expect("another type's");
    }

    #[track_caller]
    fn check(
        schema: Option<Value>,
        name: &str,
        input: Option<Value>,
    ) -> Result<(), (Code, String)> {
        let name: TypeName = format!("payment.{name}").parse().expect("a type name");
        WorkflowTypes::of(release(b"x", schema))
            .check(&name, input.as_ref())
            .map_err(|error| (error.code(), error.detail().to_owned()))
    }

    #[test]
    fn inputs_are_held_against_their_schema() {
        let schema = json!({
            "type": "object",
            "properties": {"lines": {"type": "array", "items": {"type": "integer"}}},
            "required": ["lines"]
        });
        let with = |input| check(Some(schema.clone()), "Pay", input);
        assert_eq!(with(Some(json!({"lines": [1]}))), Ok(()));
        let (code, detail) = with(Some(json!({"lines": [1, "two"]}))).unwrap_err();
        assert_eq!(code, Code::InputInvalid);
        assert!(detail.contains("at /lines/1:"), "{detail}");
        let (code, detail) = with(None).unwrap_err();
        assert_eq!(code, Code::InputInvalid);
        assert!(detail.contains("at /:"), "{detail}");
        assert_eq!(check(None, "Pay", None), Ok(()));
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_known_ones() {
        let (code, detail) = check(None, "Refund", None).unwrap_err();
        assert_eq!(code, Code::WorkflowTypeNotFound);
        assert!(detail.contains("it has Pay"), "{detail}");
    }

    #[test]
    fn a_schema_that_is_none_or_reaches_out_is_refused() {
        for schema in [
            json!({"type": "no-such-type"}),
            json!({"$ref": "http://127.0.0.1:1/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"pattern": "(?:x{1000}){1000}"}),
        ] {
            let (code, _) = check(Some(schema.clone()), "Pay", Some(json!("x"))).unwrap_err();
            assert_eq!(code, Code::ComponentMetadataInvalid, "{schema}");
        }
    }

    #[test]
    fn a_long_value_is_not_repeated_as_a_whole() {
        let long = json!("x".repeat(100_000));
        let (_, detail) = check(Some(json!({"type": "integer"})), "Pay", Some(long)).unwrap_err();
        assert!(detail.len() < 1_000, "{}", detail.len());
    }

    #[test]
    fn the_oldest_release_is_forgotten_first() {
        let schemas = Schemas::default();
        let plugin: PluginName = "payment".parse().expect("a name");
        let digest = |n: usize| Digest::of(n.to_string().as_bytes());
        for n in 0..=RELEASES_CACHED_MAX {
            schemas.remember(&plugin, release(n.to_string().as_bytes(), None));
        }
        assert!(schemas.cached(&plugin, &digest(0)).is_none());
        assert!(schemas.cached(&plugin, &digest(1)).is_some());
        assert!(
            schemas
                .cached(&plugin, &digest(RELEASES_CACHED_MAX))
                .is_some()
        );
    }
}
