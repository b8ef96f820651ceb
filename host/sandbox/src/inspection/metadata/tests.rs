//! What a component may say of itself, by chance: it is read, or refused with the one code for it.

use proptest::prelude::*;
use tenterhook_domain::Code;

use super::{Described, Outline, WorkflowDefinition, merge, schema, wit};
use crate::{
    generated::workflow::temporal::workflow_runtime::types::UpdateDefinition,
    outline::{ACTIVITIES, WORKFLOW_GUEST},
};

/// Names that collide now and then, and any text.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[ab]{1,2}", 1 => any::<String>()]
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(name(), 0..4)
}

/// Schemas that are none, nearly some, and some.
fn schema_text() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof![
        any::<String>(),
        Just("{}".to_owned()),
        Just("true".to_owned()),
        Just("[1]".to_owned()),
        Just(r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}"##.to_owned()),
        Just(r#"{"$ref": "https://example.com/elsewhere.json"}"#.to_owned()),
        Just(r#"{"type": "object", "properties": {"a": {"type": 7}}}"#.to_owned()),
        Just(r#"{"pattern": "(a+)+$("}"#.to_owned()),
        (0_usize..2_000).prop_map(|depth| "[".repeat(depth)),
    ];
    prop::option::of(text)
}

prop_compose! {
    fn message()(
        name in name(),
        description in prop::option::of(any::<String>()),
        input_schema in schema_text(),
        result_schema in schema_text(),
    ) -> wit::MessageType {
        wit::MessageType { name, description, input_schema, result_schema }
    }
}

fn messages() -> impl Strategy<Value = Vec<wit::MessageType>> {
    prop::collection::vec(message(), 0..3)
}

prop_compose! {
    fn workflow()(
        definition in message(),
        signals in messages(),
        queries in messages(),
        updates in messages(),
    ) -> wit::WorkflowType {
        wit::WorkflowType { definition, signals, queries, updates }
    }
}

prop_compose! {
    fn wants()(http in names(), keyvalue in any::<bool>(), config in names()) -> wit::WantedGrants {
        wit::WantedGrants { http, keyvalue, config }
    }
}

prop_compose! {
    fn plugin()(
        name in prop_oneof![4 => Just("payment".to_owned()), 1 => name()],
        version in prop_oneof![4 => Just("1.2.3".to_owned()), 1 => any::<String>()],
        description in prop::option::of(any::<String>()),
        workflows in prop::collection::vec(workflow(), 0..3),
        activities in messages(),
        wants in prop_oneof![
            Just(wit::WantedGrants { http: vec![], keyvalue: true, config: vec![] }),
            wants(),
        ],
    ) -> wit::Plugin {
        wit::Plugin { name, version, description, workflows, activities, wants }
    }
}

prop_compose! {
    fn definition()(
        workflow_type in name(),
        signals in names(),
        queries in names(),
        updates in names(),
    ) -> WorkflowDefinition {
        let updates = updates.into_iter().map(|name| UpdateDefinition { name, has_validator: true });
        WorkflowDefinition {
            workflow_type,
            has_init: false,
            init_takes_input: false,
            signals,
            queries,
            updates: updates.collect(),
        }
    }
}

/// What a component lists, and what its metadata says: half of the time of the same types.
fn said() -> impl Strategy<Value = (Vec<WorkflowDefinition>, Option<wit::Plugin>)> {
    let listed = prop::collection::vec(definition(), 0..3);
    let said = (listed, prop::option::of(plugin()), any::<bool>());
    said.prop_map(|(mut workflows, mut plugin, agree)| {
        if agree && let Some(plugin) = &mut plugin {
            workflows.sort_by(|one, other| one.workflow_type.cmp(&other.workflow_type));
            workflows.dedup_by(|one, other| one.workflow_type == other.workflow_type);
            plugin.workflows.truncate(workflows.len());
            workflows.truncate(plugin.workflows.len());
            for (said, has) in plugin.workflows.iter_mut().zip(&workflows) {
                said.definition.name.clone_from(&has.workflow_type);
                said.signals
                    .retain(|message| has.signals.contains(&message.name));
                said.queries
                    .retain(|message| has.queries.contains(&message.name));
                said.updates.clear();
            }
        }
        (workflows, plugin)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_component_says_of_itself_is_read_or_refused((workflows, plugin) in said()) {
        let outline = Outline {
            imports: Vec::new(),
            exports: vec![WORKFLOW_GUEST.to_owned(), ACTIVITIES.to_owned()],
        };
        let listed = workflows.len();
        let said = Described { workflows, plugin };
        let merged = merge(&"payment".parse().unwrap(), &outline, said);
        match merged.and_then(|metadata| schema::check_all(&metadata).map(|_| metadata)) {
            Ok(metadata) => prop_assert_eq!(metadata.workflows.len(), listed),
            Err(error) => prop_assert_eq!(error.code(), Code::ComponentMetadataInvalid),
        }
    }

    #[test]
    fn the_outside_of_any_bytes_is_read_or_refused(start in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let magic: &[u8] = if start { b"\0asm\x0d\0\x01\0" } else { b"" };
        let whole = [magic, &bytes].concat();
        if let Err(error) = Outline::read(&whole) {
            let known = [Code::ComponentInvalid, Code::ComponentIsCoreModule];
            prop_assert!(known.contains(&error.code()), "{}", error.code());
        }
    }
}
