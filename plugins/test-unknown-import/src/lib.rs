//! Shows that an upload whose imports no host satisfies is refused, by the name of what is missing.
//!
//! Otherwise it is a proper plugin with one activity, `Ask`.

#![cfg(target_arch = "wasm32")]
#![allow(
    unsafe_code,
    reason = "the export macro expands to the canonical ABI's loads and stores"
)]

/// The bindings of this plugin's own world.
mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

    wit_bindgen::generate!({
        path: ["../../wit", "wit/nobody.wit", "wit/world.wit"],
        world: "test:unknown-import/plugin",
        generate_all,
    });
}

use generated::exports::tenterhook::plugin::activities::{self, Failure, Payload, Task};
use generated::exports::tenterhook::plugin::metadata::{self, MessageType, Plugin, WantedGrants};
use generated::nobody::offers::this;

struct UnknownImport;

impl metadata::Guest for UnknownImport {
    fn describe() -> Plugin {
        Plugin {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(env!("CARGO_PKG_DESCRIPTION").to_owned()),
            workflows: Vec::new(),
            activities: vec![MessageType {
                name: "Ask".to_owned(),
                description: None,
                input_schema: None,
                result_schema: None,
            }],
            wants: WantedGrants {
                http: Vec::new(),
                keyvalue: false,
                config: Vec::new(),
            },
        }
    }
}

impl activities::Guest for UnknownImport {
    fn execute(_task: Task) -> Result<Option<Payload>, Failure> {
        Ok(Some(Payload {
            metadata: vec![("encoding".to_owned(), b"json/plain".to_vec())],
            data: this::ask().to_string().into_bytes(),
        }))
    }
}

generated::export!(UnknownImport with_types_in generated);
