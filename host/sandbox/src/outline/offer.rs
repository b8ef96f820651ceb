//! The interfaces that a component may import, and what to use in place of others.

/// Which versions of an interface are offered.
enum Versions {
    /// Every `0.<minor>.x`.
    Minor(&'static str),
    /// This one alone: a draft promises nothing.
    Exact(&'static str),
}

/// One package of interfaces that a component may import.
struct Offer {
    package: &'static str,
    interfaces: &'static [&'static str],
    versions: Versions,
}

const OFFERS: &[Offer] = &[
    Offer {
        package: "temporal:workflow-runtime",
        interfaces: &["workflow-host", "types"],
        versions: Versions::Minor("0.1."),
    },
    Offer {
        package: "tenterhook:plugin",
        interfaces: &["activity-context", "state", "values"],
        versions: Versions::Minor("0.1."),
    },
    Offer {
        package: "wasi:cli",
        interfaces: &[
            "environment",
            "exit",
            "stdin",
            "stdout",
            "stderr",
            "terminal-input",
            "terminal-output",
            "terminal-stdin",
            "terminal-stdout",
            "terminal-stderr",
        ],
        versions: Versions::Minor("0.2."),
    },
    Offer {
        package: "wasi:io",
        interfaces: &["error", "poll", "streams"],
        versions: Versions::Minor("0.2."),
    },
    Offer {
        package: "wasi:clocks",
        interfaces: &["monotonic-clock", "wall-clock"],
        versions: Versions::Minor("0.2."),
    },
    Offer {
        package: "wasi:random",
        interfaces: &["random", "insecure", "insecure-seed"],
        versions: Versions::Minor("0.2."),
    },
    // Language runtimes import files and sockets whether a program uses them or not. There is nothing behind them.
    Offer {
        package: "wasi:filesystem",
        interfaces: &["types", "preopens"],
        versions: Versions::Minor("0.2."),
    },
    Offer {
        package: "wasi:sockets",
        interfaces: &[
            "network",
            "instance-network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
            "ip-name-lookup",
        ],
        versions: Versions::Minor("0.2."),
    },
    Offer {
        package: "wasi:http",
        interfaces: &["types", "outgoing-handler"],
        versions: Versions::Minor("0.2."),
    },
    Offer {
        package: "wasi:keyvalue",
        interfaces: &["store", "atomics", "batch"],
        versions: Versions::Exact("0.2.0-draft"),
    },
    Offer {
        package: "wasi:config",
        interfaces: &["store"],
        versions: Versions::Exact("0.2.0-rc.1"),
    },
    Offer {
        package: "wasi:logging",
        interfaces: &["logging"],
        versions: Versions::Exact("0.1.0-draft"),
    },
];

/// What to use in place of interfaces that people try.
const INSTEAD: &[(&str, &str)] = &[
    (
        "wasi:http/incoming-handler",
        "export activities and let the host call them",
    ),
    (
        "wasi:clocks/timezone",
        "compute with UTC, or carry a time zone library in the component",
    ),
    (
        "wasi:keyvalue/",
        "use wasi:keyvalue/store, atomics or batch @0.2.0-draft",
    ),
    ("wasi:config/", "use wasi:config/store@0.2.0-rc.1"),
    ("wasi:runtime-config/", "use wasi:config/store@0.2.0-rc.1"),
    ("wasi:logging/", "use wasi:logging/logging@0.1.0-draft"),
    (
        "wasi:blobstore/",
        "reach an object store over wasi:http/outgoing-handler",
    ),
    (
        "wasi:messaging/",
        "use a signal, or a child workflow, or wasi:http/outgoing-handler",
    ),
    ("wasi:http/", "use wasi:http/outgoing-handler@0.2"),
    ("wasi:", "use WASI 0.2: build for wasm32-wasip2"),
    (
        "wasi_snapshot_preview1",
        "build for wasm32-wasip2, not for wasm32-wasip1",
    ),
    (
        "env",
        "link what the component needs into it: it can import interfaces only",
    ),
];

/// True if a component may import `import`.
pub(super) fn is_offered(import: &str) -> bool {
    let Some((path, version)) = import.split_once('@') else {
        return false;
    };
    let Some((package, interface)) = path.split_once('/') else {
        return false;
    };
    OFFERS.iter().any(|offer| {
        offer.package == package
            && offer.interfaces.contains(&interface)
            && match offer.versions {
                Versions::Minor(minor) => version
                    .strip_prefix(minor)
                    .is_some_and(|patch| patch.parse::<u32>().is_ok()),
                Versions::Exact(exact) => version == exact,
            }
    })
}

/// What to use in place of `import`, if something is near.
pub(super) fn instead(import: &str) -> Option<&'static str> {
    INSTEAD
        .iter()
        .find(|(prefix, _)| import.starts_with(prefix))
        .map(|(_, instead)| *instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_by_interface_and_version() {
        for (import, offered) in [
            ("wasi:cli/stdout@0.2.0", true),
            ("wasi:cli/stdout@0.2.12", true),
            ("wasi:cli/stdout@0.3.0", false),
            ("wasi:cli/stdout", false),
            ("wasi:cli/stdout@0.2.0-rc.1", false),
            ("wasi:http/outgoing-handler@0.2.6", true),
            ("wasi:http/incoming-handler@0.2.6", false),
            ("wasi:keyvalue/store@0.2.0-draft", true),
            ("wasi:keyvalue/store@0.2.0-draft2", false),
            ("tenterhook:plugin/activity-context@0.1.0", true),
            ("tenterhook:plugin/activity-context@0.2.0", false),
            ("tenterhook:plugin/state@0.1.0", true),
            ("env", false),
        ] {
            assert_eq!(is_offered(import), offered, "{import}");
        }
    }
}
