//! Shows that an upload whose metadata is not true is refused: it names itself `somebody-else` and has a workflow
//! `Missing`, but exports no workflows at all.
//!
//! Uploaded as `test-lying-metadata`, its name is the lie; uploaded as `somebody-else`, its workflow is. Its schema
//! is no JSON Schema either.

#![cfg(target_arch = "wasm32")]
#![allow(
    unsafe_code,
    reason = "the export macro expands to the canonical ABI's loads and stores"
)]

/// The bindings of the plugin world.
mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

    wit_bindgen::generate!({
        path: "../../wit",
        world: "tenterhook:plugin/plugin",
        generate_all,
    });
}

use generated::exports::tenterhook::plugin::activities::{self, Failure, Payload, Task};
use generated::exports::tenterhook::plugin::metadata::{
    self, MessageType, Plugin, WantedGrants, WorkflowType,
};
use generated::tenterhook::plugin::values::FailureLink;

struct Liar;

impl metadata::Guest for Liar {
    fn describe() -> Plugin {
        let message = |name: &str, schema: &str| MessageType {
            name: name.to_owned(),
            description: None,
            input_schema: Some(schema.to_owned()),
            result_schema: None,
        };
        Plugin {
            name: "somebody-else".to_owned(),
            version: "not a version".to_owned(),
            description: Some(env!("CARGO_PKG_DESCRIPTION").to_owned()),
            workflows: vec![WorkflowType {
                definition: message("Missing", "{}"),
                signals: Vec::new(),
                queries: Vec::new(),
                updates: Vec::new(),
            }],
            activities: vec![message("Absent", "{\"type\": 7}")],
            wants: WantedGrants {
                http: Vec::new(),
                keyvalue: false,
                config: Vec::new(),
            },
        }
    }
}

impl activities::Guest for Liar {
    fn execute(task: Task) -> Result<Option<Payload>, Failure> {
        Err(Failure {
            error: FailureLink {
                message: format!("there is no {}", task.activity_type),
                kind: "NotFound".to_owned(),
                details: Vec::new(),
                stack_trace: None,
            },
            causes: Vec::new(),
            non_retryable: true,
            next_retry_delay: None,
            benign: false,
        })
    }
}

generated::export!(Liar with_types_in generated);
