//! The places that the operator allows.

use std::{net::IpAddr, str::FromStr};

use tenterhook_domain::{
    Code, Error, Result, TenantId,
    origin::{OciReference, is_registry, is_repository},
};

/// What stands in a prefix for the name of the tenant that asks.
const TENANT: &str = "{tenant}";

/// A registry, or the repositories below a prefix of it: `HOST[:PORT][/PREFIX]`. `{tenant}` in the prefix stands for
/// the tenant that asks, so that tenants on one registry pull what is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedPlace {
    registry: String,
    prefix: Option<String>,
}

impl AllowedPlace {
    /// True if `tenant` may pull `reference` by this.
    pub(crate) fn allows(&self, tenant: &TenantId, reference: &OciReference) -> bool {
        if self.registry != reference.registry() {
            return false;
        }
        let Some(prefix) = &self.prefix else {
            return true;
        };
        let prefix = prefix.replace(TENANT, tenant.as_str());
        let rest = reference.repository().strip_prefix(&prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The registry, where nobody listens in on plain HTTP: it is on this machine.
    pub(crate) fn of_this_machine(&self) -> Option<&str> {
        let host = self.registry.split(':').next().unwrap_or_default();
        let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (loopback || host == "localhost").then_some(&self.registry)
    }
}

impl FromStr for AllowedPlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (registry, prefix) = match text.split_once('/') {
            Some((registry, prefix)) => (registry, Some(prefix)),
            None => (text, None),
        };
        let prefix_holds =
            prefix.is_none_or(|prefix| is_repository(&prefix.replace(TENANT, "tenant")));
        if !is_registry(registry) || !prefix_holds {
            return Err(Error::new(
                Code::HostConfigInvalid,
                format!("{text:?} names no registry: write HOST[:PORT], or HOST[:PORT]/PREFIX"),
            ));
        }
        Ok(Self {
            registry: registry.to_owned(),
            prefix: prefix.map(str::to_owned),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_domain::Digest;

    use super::*;

    fn allows(place: &str, name: &str) -> bool {
        let place: AllowedPlace = place.parse().unwrap();
        let reference = format!("{name}@{}", Digest::of(b"m")).parse().unwrap();
        place.allows(&"acme".parse().unwrap(), &reference)
    }

    #[test]
    fn only_what_is_allowed_is_allowed() {
        let allowed = [
            ("registry.example", "registry.example/any/thing:1"),
            ("registry.example:5000", "registry.example:5000/x"),
            ("registry.example/team", "registry.example/team"),
            ("registry.example/team", "registry.example/team/payment"),
            (
                "registry.example/t/{tenant}",
                "registry.example/t/acme/payment",
            ),
            (
                "registry.example/{tenant}-plugins",
                "registry.example/acme-plugins/x",
            ),
        ];
        for (place, name) in allowed {
            assert!(allows(place, name), "{place}: {name}");
        }
        let denied = [
            ("registry.example", "registry.example:5000/x"),
            ("registry.example", "sub.registry.example/x"),
            ("registry.example", "registry.example.evil.example/x"),
            ("registry.example/team", "registry.example/teams"),
            ("registry.example/team", "registry.example/x/team"),
            (
                "registry.example/{tenant}",
                "registry.example/globex/payment",
            ),
            ("registry.example/{tenant}", "registry.example/acme2"),
        ];
        for (place, name) in denied {
            assert!(!allows(place, name), "{place}: {name}");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let local = |text: &str| {
            let place: AllowedPlace = text.parse().unwrap();
            place.of_this_machine().is_some()
        };
        assert!(local("127.0.0.1:5000") && local("localhost:5000/x") && local("127.8.8.8"));
        assert!(!local("10.0.0.1:5000") && !local("localhost.example") && !local("r.example"));
    }

    #[test]
    fn what_names_no_registry_is_refused() {
        for text in [
            "",
            "registry",
            "https://r.example",
            "r.example/",
            "r.example/A",
            "/x",
            "*",
        ] {
            let refused = text.parse::<AllowedPlace>();
            assert_eq!(
                refused.unwrap_err().code(),
                Code::HostConfigInvalid,
                "{text:?}"
            );
        }
    }
}
