//! Bindings made from `wit/`. Private: other modules name what they use, nothing here leaves the crate.

/// A workflow instance's world: the WASI interfaces that language runtimes import, Temporal's host interface,
/// and the guest's workflows. Everything else a component imports is denied, see `workflow::denied`.
pub(crate) mod workflow {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: r#"
            package tenterhook:workflow-host;

            world workflow {
                import wasi:io/error@0.2.12;
                import wasi:io/poll@0.2.12;
                import wasi:io/streams@0.2.12;
                import wasi:cli/environment@0.2.12;
                import wasi:cli/exit@0.2.12;
                import wasi:cli/stdin@0.2.12;
                import wasi:cli/stdout@0.2.12;
                import wasi:cli/stderr@0.2.12;
                import wasi:cli/terminal-input@0.2.12;
                import wasi:cli/terminal-output@0.2.12;
                import wasi:cli/terminal-stdin@0.2.12;
                import wasi:cli/terminal-stdout@0.2.12;
                import wasi:cli/terminal-stderr@0.2.12;
                import wasi:clocks/monotonic-clock@0.2.12;
                import wasi:clocks/wall-clock@0.2.12;
                import wasi:random/random@0.2.12;
                import wasi:random/insecure@0.2.12;
                import wasi:random/insecure-seed@0.2.12;
                import wasi:logging/logging@0.1.0-draft;
                import temporal:workflow-runtime/workflow-host@0.1.0;
                export temporal:workflow-runtime/workflow-guest@0.1.0;
            }
        "#,
        world: "tenterhook:workflow-host/workflow",
        imports: { default: trappable },
        require_store_data_send: true,
    });
}

/// An activity instance's world, beside the WASI interfaces that `wasmtime-wasi` and `wasmtime-wasi-http` bring.
pub(crate) mod activity {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: r#"
            package tenterhook:activity-host;

            world activity {
                import tenterhook:plugin/activity-context@0.1.0;
                import tenterhook:plugin/state@0.1.0;
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
                import wasi:config/store@0.2.0-rc.1;
                import wasi:logging/logging@0.1.0-draft;
                export tenterhook:plugin/activities@0.1.0;
            }
        "#,
        world: "tenterhook:activity-host/activity",
        imports: {
            "wasi:keyvalue": async | trappable,
            "tenterhook:plugin/state": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: {
            "wasi:keyvalue/store.bucket": crate::capability::keyvalue::Bucket,
        },
        require_store_data_send: true,
    });
}

/// The types of `tenterhook:plugin/metadata`; it is called through typed functions, on either engine.
pub(crate) mod metadata {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: r#"
            package tenterhook:metadata-host;

            world described {
                export tenterhook:plugin/metadata@0.1.0;
            }
        "#,
        world: "tenterhook:metadata-host/described",
    });
}
