//! The macro that makes a crate a plugin.

/// Makes the crate a plugin: exports its workflows, its activities, and the metadata that names them.
///
/// Used once, in the crate's root. Every part is optional, the order is fixed:
///
/// ```ignore
/// tenterhook_sdk::plugin! {
///     // In place of the package's name and version.
///     name: "payment",
///     version: "1.4.0",
///     workflows: [
///         /// The description in the metadata.
///         ProcessPayment { signals: [], queries: [status], updates: [cancel] },
///     ],
///     activities: [ValidatePayment, ReserveInventory],
///     wants: {
///         // "host[:port]", or "config:KEY" for the host of the URL in that configuration key.
///         http: ["config:gateway_url"],
///         keyvalue: true,
///         config: ["gateway_url"],
///     },
/// }
/// ```
///
/// - `workflows` takes types with `#[workflow_methods]`. Signals, queries and updates named in the braces (by their
///   methods' names) get JSON Schemas in the metadata; those not named are there without.
/// - `activities` takes what [`activities!`](crate::activities) declared.
/// - Inputs and results need `JsonSchema`.
/// - Name and version come from `Cargo.toml` unless given, the description always does.
///
/// On any target but `wasm32` nothing is exported, so that the same crate can be checked and tested natively.
#[macro_export]
macro_rules! plugin {
    (
        $(name: $name:expr,)?
        $(version: $version:expr,)?
        $(workflows: [$(
            $(#[doc = $doc:literal])*
            $workflow:ident $({ $($kind:ident: [$($handler:ident),* $(,)?]),* $(,)? })?
        ),+ $(,)?] $(,)?)?
        $(activities: [$($activity:path),* $(,)?] $(,)?)?
        $(wants: {
            $(http: [$($host:expr),* $(,)?] $(,)?)?
            $(keyvalue: $keyvalue:literal $(,)?)?
            $(config: [$($key:expr),* $(,)?] $(,)?)?
        } $(,)?)?
    ) => {
        const _: () = {
            struct TenterhookPlugin;

            impl $crate::__private::MetadataGuest for TenterhookPlugin {
                fn describe() -> $crate::__private::Plugin {
                    #[allow(unused_mut, unused_assignments)]
                    let (mut name, mut version) =
                        (::core::env!("CARGO_PKG_NAME"), ::core::env!("CARGO_PKG_VERSION"));
                    $(name = $name;)?
                    $(version = $version;)?
                    #[allow(unused_mut)]
                    let mut plugin = $crate::__private::PluginBuilder::new(
                        name,
                        version,
                        ::core::env!("CARGO_PKG_DESCRIPTION"),
                    );
                    $($({
                        #[allow(unused_mut)]
                        let mut workflow = $crate::__private::WorkflowBuilder::new::<$workflow>(
                            ::core::concat!("", $($doc, "\n"),*),
                        );
                        $($($(workflow.$kind($workflow::$handler);)*)*)?
                        plugin.workflow(workflow.build());
                    })+)?
                    $($(plugin.activity::<$activity>();)*)?
                    $(plugin.wants(
                        &[$($($host),*)?],
                        false $(|| $keyvalue)?,
                        &[$($($key),*)?],
                    );)?
                    plugin.build()
                }
            }

            impl $crate::__private::ActivitiesGuest for TenterhookPlugin {
                fn execute(
                    task: $crate::__private::Task,
                ) -> ::core::result::Result<
                    ::core::option::Option<$crate::__private::Payload>,
                    $crate::__private::Failure,
                > {
                    const ACTIVITIES: &[$crate::__private::ActivityEntry] =
                        &[$($($crate::__private::ActivityEntry::of::<$activity>()),*)?];
                    $crate::__private::execute(ACTIVITIES, task)
                }
            }

            #[cfg(target_arch = "wasm32")]
            $crate::__private::export!(
                TenterhookPlugin with_types_in $crate::__private::generated
            );

            // Natively nobody calls it; say that it is wanted all the same.
            #[cfg(not(target_arch = "wasm32"))]
            const _: (
                fn() -> $crate::__private::Plugin,
                fn(
                    $crate::__private::Task,
                ) -> ::core::result::Result<
                    ::core::option::Option<$crate::__private::Payload>,
                    $crate::__private::Failure,
                >,
            ) = (
                <TenterhookPlugin as $crate::__private::MetadataGuest>::describe,
                <TenterhookPlugin as $crate::__private::ActivitiesGuest>::execute,
            );
        };

        $(
            #[cfg(target_arch = "wasm32")]
            $crate::temporalio_workflow::export_workflow_module!([$($workflow),+]);
        )?
    };
}
