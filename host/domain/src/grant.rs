//! What an operator lets a plugin do.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Code, Error, Result},
    limit::LimitOverrides,
    name::{PluginName, SecretName},
};

/// Most hosts one plugin can be granted.
pub const HTTP_GRANTS_MAX: usize = 100;
/// Most pairs of a secret and a host that one plugin can be granted.
pub const SECRET_GRANTS_MAX: usize = 100;
/// Most plugins of its scope that one plugin can be granted.
pub const PLUGIN_GRANTS_MAX: usize = 100;

/// An operator's grants to one plugin of one scope. Nothing is granted by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Where the plugin's activities may send HTTP requests.
    #[schema(max_items = 100)]
    pub http: Vec<HttpGrant>,
    /// True: granted hosts may be at private, loopback or link-local addresses.
    pub private_network: bool,
    /// True: the plugin has key-value state of its own.
    pub keyvalue: bool,
    /// True: the plugin reads its configuration.
    pub config: bool,
    /// Which of the plugin's secrets the host puts into requests to which granted hosts.
    #[schema(max_items = 100)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretGrant>,
    /// Other plugins of the same tenant and environment that its workflows may deal with: call their activities, start
    /// their workflows as children, signal and cancel their executions.
    #[schema(max_items = 100)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plugins: Vec<PluginName>,
    /// Limits other than the defaults.
    pub limits: LimitOverrides,
}

/// One granted destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    /// `host`, `host:port`, or `*.domain[:port]` for every host below a domain. Without a port: 80 and 443.
    pub host: String,
    /// Methods allowed; empty means every method.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// One secret, and where it may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretGrant {
    /// The secret. It may be stored later.
    pub name: SecretName,
    /// A host that is granted under `http`, or one of those that a granted pattern there stands for.
    pub host: String,
}

impl Grants {
    /// Checks what cannot be said by types alone.
    ///
    /// # Errors
    /// `grant-invalid`, naming the entry.
    pub fn check(&self) -> Result<()> {
        if self.http.len() > HTTP_GRANTS_MAX {
            return Err(Error::new(
                Code::GrantInvalid,
                format!(
                    "{} hosts are granted: {HTTP_GRANTS_MAX} at most",
                    self.http.len()
                ),
            ));
        }
        for grant in &self.http {
            HostPattern::parse(&grant.host)?;
        }
        self.check_secrets()?;
        if self.plugins.len() > PLUGIN_GRANTS_MAX {
            return Err(Error::new(
                Code::GrantInvalid,
                format!(
                    "{} plugins are granted: {PLUGIN_GRANTS_MAX} at most",
                    self.plugins.len()
                ),
            ));
        }
        self.limits.apply().map(|_| ())
    }

    /// A secret goes where requests may go: a host that is not granted is a mistake in one of the two.
    fn check_secrets(&self) -> Result<()> {
        let refused = |detail: String| Err(Error::new(Code::GrantInvalid, detail));
        if self.secrets.len() > SECRET_GRANTS_MAX {
            return refused(format!(
                "{} pairs of a secret and a host are granted: {SECRET_GRANTS_MAX} at most",
                self.secrets.len()
            ));
        }
        for SecretGrant { name, host } in &self.secrets {
            let pattern = HostPattern::parse(host)?;
            let covered = self.http.iter().any(|grant| {
                HostPattern::parse(&grant.host).is_ok_and(|granted| granted.covers(&pattern))
            });
            if !covered {
                return refused(format!(
                    "secret {name} is granted for {host:?}, which is not among the granted hosts: grant it under http \
                     too"
                ));
            }
        }
        Ok(())
    }

    /// True if workflows may deal with `plugin`, which is not their own.
    pub fn reaches(&self, plugin: &PluginName) -> bool {
        self.plugins.contains(plugin)
    }

    /// The secrets that may go to `host` and `port`.
    pub fn secrets_for(&self, host: &str, port: u16) -> impl Iterator<Item = &SecretName> {
        self.secrets
            .iter()
            .filter(move |grant| {
                HostPattern::parse(&grant.host).is_ok_and(|pattern| pattern.matches(host, port))
            })
            .map(|grant| &grant.name)
    }

    /// True if a request of `method` to `host` and `port` is granted.
    pub fn allows(&self, method: &str, host: &str, port: u16) -> bool {
        self.http.iter().any(|grant| {
            let method_fits = grant.methods.is_empty()
                || grant
                    .methods
                    .iter()
                    .any(|allowed| allowed.eq_ignore_ascii_case(method));
            method_fits
                && HostPattern::parse(&grant.host).is_ok_and(|pattern| pattern.matches(host, port))
        })
    }
}

/// A host, or all hosts below a domain, with an optional port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    host: String,
    subdomains: bool,
    port: Option<u16>,
}

impl HostPattern {
    /// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or `*.domain[:port]`.
    ///
    /// # Errors
    /// `grant-invalid` when it is none of these.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || {
            Error::new(
                Code::GrantInvalid,
                format!("{text:?} is not a host pattern: write host, host:port or *.domain"),
            )
        };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(invalid)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| invalid())?;
                (
                    host,
                    after
                        .strip_prefix(':')
                        .or((!after.is_empty()).then_some("")),
                )
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = port
            .map(|port| port.parse().map_err(|_| invalid()))
            .transpose()?;
        let (host, subdomains) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
        if host.is_empty() || !host.chars().all(plain) || host.starts_with('.') {
            return Err(invalid());
        }
        Ok(Self {
            host: host.to_ascii_lowercase(),
            subdomains,
            port,
        })
    }

    /// True if whatever fits `other` fits this one too.
    fn covers(&self, other: &Self) -> bool {
        let host_covered = match (self.subdomains, other.subdomains) {
            (false, false) => self.host == other.host,
            (false, true) => false,
            (true, below) => {
                let inside = other
                    .host
                    .strip_suffix(&self.host)
                    .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
                inside || (below && self.host == other.host)
            }
        };
        let port_covered = match self.port {
            Some(_) => self.port == other.port,
            None => matches!(other.port, None | Some(80 | 443)),
        };
        host_covered && port_covered
    }

    /// True if `host` (without brackets) and `port` fit.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .trim_end_matches('.')
            .to_ascii_lowercase();
        let host_fits = if self.subdomains {
            host.strip_suffix(&self.host)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.'))
        } else {
            host == self.host
        };
        host_fits
            && self
                .port
                .map_or(port == 80 || port == 443, |granted| granted == port)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say() {
        let cases = [
            ("api.example.com", "API.example.com", 443, true),
            ("api.example.com", "api.example.com", 8443, false),
            ("api.example.com:8443", "api.example.com", 8443, true),
            ("api.example.com", "api.example.com.evil.test", 443, false),
            ("*.example.com", "a.b.example.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", "evilexample.com", 443, false),
            ("127.0.0.1:9000", "127.0.0.1", 9000, true),
            ("[::1]:9000", "[::1]", 9000, true),
        ];
        for (pattern, host, port, fits) in cases {
            assert_eq!(
                HostPattern::parse(pattern).unwrap().matches(host, port),
                fits,
                "{pattern} {host}:{port}"
            );
        }
        for bad in [
            "", "*", "*.", "a b", "a:b", "http://a", "[::1", "a/b", "[::1]x",
        ] {
            assert_eq!(
                HostPattern::parse(bad).unwrap_err().code(),
                Code::GrantInvalid,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_secret_goes_where_requests_may_go() {
        let granted = |http: &str, secret: &str| Grants {
            http: vec![HttpGrant {
                host: http.into(),
                methods: Vec::new(),
            }],
            secrets: vec![SecretGrant {
                name: "key".parse().unwrap(),
                host: secret.into(),
            }],
            ..Grants::default()
        };
        for (http, secret, fits) in [
            ("a.test", "A.test", true),
            ("a.test", "a.test:443", true),
            ("a.test", "a.test:8443", false),
            ("a.test:8443", "a.test", false),
            ("*.test", "a.test", true),
            ("*.test", "*.test", true),
            ("*.test", "*.a.test", true),
            ("*.a.test", "*.test", false),
            ("a.test", "*.a.test", false),
            ("*.test", "test", false),
            ("*.test", "evil-test", false),
            ("a.test", "b.test", false),
            ("a.test", "not a host", false),
        ] {
            let checked = granted(http, secret).check().map_err(|error| error.code());
            let expected = if fits {
                Ok(())
            } else {
                Err(Code::GrantInvalid)
            };
            assert_eq!(checked, expected, "{http} {secret}");
        }
        let grants = granted("*.test", "a.test");
        let names = |host| grants.secrets_for(host, 443).count();
        assert_eq!((names("a.test"), names("b.test")), (1, 0));
        let mut many = granted("a.test", "a.test");
        many.secrets = vec![many.secrets[0].clone(); SECRET_GRANTS_MAX + 1];
        assert_eq!(many.check().unwrap_err().code(), Code::GrantInvalid);
    }

    #[test]
    fn other_plugins_are_granted_by_name_and_bounded() {
        let [billing, shop] = ["billing", "shop"].map(|name| name.parse::<PluginName>().unwrap());
        let mut grants = Grants {
            plugins: vec![billing.clone()],
            ..Grants::default()
        };
        assert!(grants.reaches(&billing) && !grants.reaches(&shop));
        assert!(!Grants::default().reaches(&billing));
        grants.check().unwrap();
        grants.plugins = vec![billing; PLUGIN_GRANTS_MAX + 1];
        assert_eq!(grants.check().unwrap_err().code(), Code::GrantInvalid);
    }

    #[test]
    fn methods_restrict() {
        let grants = Grants {
            http: vec![HttpGrant {
                host: "a.test".into(),
                methods: vec!["GET".into()],
            }],
            ..Grants::default()
        };
        assert!(grants.allows("get", "a.test", 443));
        assert!(!grants.allows("POST", "a.test", 443));
        assert!(!Grants::default().allows("GET", "a.test", 443));
    }
}
