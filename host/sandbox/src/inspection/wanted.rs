//! What a plugin asks for against what it is granted.

use tenterhook_domain::{
    PluginName,
    component::WantedGrants,
    grant::{Grants, HostPattern},
};

/// What `wants` asks for and `grants` does not give, in words, with what to do; `None` if all is granted.
pub(super) fn not_granted(
    plugin: &PluginName,
    wants: &WantedGrants,
    grants: &Grants,
) -> Option<String> {
    let mut missing: Vec<String> = wants
        .http
        .iter()
        .filter(|host| !is_granted(host, grants))
        .map(|host| format!("HTTP to {host:?}"))
        .collect();
    if wants.keyvalue && !grants.keyvalue {
        missing.push("key-value state".to_owned());
    }
    if !wants.config.is_empty() && !grants.config {
        let keys: Vec<String> = wants.config.iter().map(|key| format!("{key:?}")).collect();
        missing.push(format!("configuration ({})", keys.join(", ")));
    }
    (!missing.is_empty()).then(|| {
        format!(
            "wanted and not granted: {}; calls that need it are refused until an operator grants it: `tenterhook \
             plugin grants put {plugin} …`, which sets all grants at once",
            missing.join(", ")
        )
    })
}

/// Which host stands in a configuration key is known only when it is used: any host that is granted may be the one.
fn is_granted(wanted: &str, grants: &Grants) -> bool {
    if wanted.starts_with("config:") {
        return !grants.http.is_empty();
    }
    grants.http.iter().any(|grant| {
        grant.host.eq_ignore_ascii_case(wanted)
            || HostPattern::parse(&grant.host).is_ok_and(|pattern| {
                let (host, port) = split_port(wanted);
                pattern.matches(host, port)
            })
    })
}

/// The host of a pattern and its port; without one, a port that every pattern without one has.
fn split_port(pattern: &str) -> (&str, u16) {
    pattern
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)))
        .unwrap_or((pattern, 443))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_domain::grant::HttpGrant;

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let granted = |hosts: &[&str], keyvalue, config| Grants {
            http: hosts
                .iter()
                .map(|&host| HttpGrant {
                    host: host.to_owned(),
                    methods: Vec::new(),
                })
                .collect(),
            keyvalue,
            config,
            ..Grants::default()
        };
        let wants = WantedGrants {
            http: vec![
                "api.test".into(),
                "*.b.test".into(),
                "c.test:8080".into(),
                "config:url".into(),
            ],
            keyvalue: true,
            config: vec!["url".into()],
        };
        let plugin: PluginName = "shop".parse().unwrap();
        let missing = |grants: &Grants| not_granted(&plugin, &wants, grants);
        let all = granted(&["api.test", "*.B.test", "c.test:8080"], true, true);
        assert_eq!(missing(&all), None);
        let nothing = missing(&Grants::default()).unwrap();
        for part in [
            "HTTP to \"api.test\"",
            "HTTP to \"*.b.test\"",
            "HTTP to \"c.test:8080\"",
            "HTTP to \"config:url\"",
            "key-value state",
            "configuration (\"url\")",
            "tenterhook plugin grants put shop",
        ] {
            assert!(nothing.contains(part), "{part} in {nothing}");
        }
        let some = missing(&granted(&["*.test", "c.test"], true, true)).unwrap();
        assert!(!some.contains("api.test"), "{some}");
        assert!(!some.contains("config:url"), "{some}");
        assert!(some.contains("c.test:8080"), "{some}");
    }
}
