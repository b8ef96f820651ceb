//! Names, and the scope every lookup starts from.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Code, Error};

/// Longest tenant, environment or plugin name, in bytes.
pub const NAME_BYTES_MAX: usize = 63;
/// The same rule as a regular expression, for the API's document.
pub const NAME_PATTERN: &str = "^[a-z][a-z0-9-]{0,62}$";
/// Longest workflow or activity type name inside a plugin, in bytes.
pub const TYPE_BYTES_MAX: usize = 200;
/// Longest workflow id a caller may choose, in bytes. Temporal's own limit is 1,000 for the whole id.
pub const WORKFLOW_ID_BYTES_MAX: usize = 512;

fn check_name(what: &str, text: &str) -> Result<(), Error> {
    let mut bytes = text.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on_well = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if starts_well && goes_on_well && text.len() <= NAME_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(
        Code::NameInvalid,
        format!(
            "{text:?} is not a {what} name: use a lower-case letter, then lower-case letters, digits and -, {NAME_BYTES_MAX} at most"
        ),
    ))
}

macro_rules! names {
    ($($(#[doc = $doc:literal])+ $name:ident, $what:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                check_name($what, text)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some(concat!($($doc),+).trim()))
                    .pattern(Some(NAME_PATTERN))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

names! {
    /// Who owns plugins and executions: `acme`.
    TenantId, "tenant";
    /// One of a tenant's worlds: `production`.
    EnvironmentName, "environment";
    /// A named unit of a scope: `payment`.
    PluginName, "plugin";
    /// What a plugin's secret is called: `api-key`.
    SecretName, "secret";
    /// What a schedule of a scope is called: `daily-report`.
    ScheduleId, "schedule";
}

/// A tenant and one of its environments, written `acme/production`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scope {
    /// The tenant.
    pub tenant: TenantId,
    /// The environment.
    pub environment: EnvironmentName,
}

impl Scope {
    /// A scope of its two parts.
    pub fn new(tenant: TenantId, environment: EnvironmentName) -> Self {
        Self {
            tenant,
            environment,
        }
    }

    /// The id that Temporal knows an execution by, for the id its caller knows it by.
    ///
    /// # Errors
    /// `workflow-id-invalid` when `id` is empty, longer than [`WORKFLOW_ID_BYTES_MAX`] or has control characters.
    pub fn temporal_id(&self, id: &str) -> Result<String, Error> {
        if id.is_empty() || id.len() > WORKFLOW_ID_BYTES_MAX || id.chars().any(char::is_control) {
            return Err(Error::new(
                Code::WorkflowIdInvalid,
                format!(
                    "{:?} is not a workflow id: use 1 to {WORKFLOW_ID_BYTES_MAX} bytes without control characters",
                    id.chars().take(64).collect::<String>()
                ),
            ));
        }
        Ok(format!("{self}/{id}"))
    }

    /// The id its caller knows an execution by, if `temporal_id` belongs to this scope.
    pub fn caller_id<'a>(&self, temporal_id: &'a str) -> Option<&'a str> {
        temporal_id
            .strip_prefix(self.tenant.as_str())?
            .strip_prefix('/')?
            .strip_prefix(self.environment.as_str())?
            .strip_prefix('/')
            .filter(|id| !id.is_empty())
    }

    /// Splits Temporal's id into the scope and the caller's id.
    pub fn of_temporal_id(temporal_id: &str) -> Option<(Self, &str)> {
        let mut parts = temporal_id.splitn(3, '/');
        let scope = Self::new(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((scope, parts.next().filter(|id| !id.is_empty())?))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.environment)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (tenant, environment) = text.split_once('/').ok_or_else(|| {
            Error::new(
                Code::NameInvalid,
                format!("{text:?} is not a scope: write tenant/environment"),
            )
        })?;
        Ok(Self::new(tenant.parse()?, environment.parse()?))
    }
}

/// A workflow or activity type as Temporal knows it: `payment.ProcessPayment`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName {
    /// The plugin that owns the type.
    pub plugin: PluginName,
    /// The name inside the plugin.
    pub name: Box<str>,
}

impl TypeName {
    /// The type `name` of `plugin`.
    ///
    /// # Errors
    /// `name-invalid` when `name` is empty, longer than [`TYPE_BYTES_MAX`] or has control characters.
    pub fn new(plugin: PluginName, name: &str) -> Result<Self, Error> {
        if name.is_empty() || name.len() > TYPE_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(Error::new(
                Code::NameInvalid,
                format!(
                    "{:?} is not a type name: use 1 to {TYPE_BYTES_MAX} bytes without control characters",
                    name.chars().take(64).collect::<String>()
                ),
            ));
        }
        Ok(Self {
            plugin,
            name: name.into(),
        })
    }

    /// Reads a name as a guest of plugin `own` writes it: bare means its own, `billing.Name` another's.
    ///
    /// # Errors
    /// `name-invalid`, as for [`TypeName::new`].
    pub fn of_guest(own: &PluginName, text: &str) -> Result<Self, Error> {
        match text.split_once('.') {
            Some((plugin, name)) if plugin.parse::<PluginName>().is_ok() => {
                Self::new(plugin.parse()?, name)
            }
            _ => Self::new(own.clone(), text),
        }
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.plugin, self.name)
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TypeName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (plugin, name) = text.split_once('.').ok_or_else(|| {
            Error::new(
                Code::NameInvalid,
                format!("{text:?} is not a type name: write plugin.Name"),
            )
        })?;
        Self::new(plugin.parse()?, name)
    }
}

impl Serialize for TypeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_owns_only_ids_below_it() {
        let scope: Scope = "acme/production".parse().unwrap();
        let id = scope.temporal_id("order-1/retry").unwrap();
        assert_eq!(id, "acme/production/order-1/retry");
        assert_eq!(scope.caller_id(&id), Some("order-1/retry"));
        for foreign in [
            "acme/production",
            "acme/production/",
            "acme/productionx/a",
            "acm/production/a",
            "globex/production/a",
        ] {
            assert_eq!(scope.caller_id(foreign), None, "{foreign}");
        }
        assert_eq!(Scope::of_temporal_id(&id), Some((scope, "order-1/retry")));
        assert_eq!(Scope::of_temporal_id("Acme/production/a"), None);
    }

    #[test]
    fn names_are_checked() {
        for good in ["a", "acme", "acme-2"] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "2a", "Acme", "a_b", "a/b", "a.b", &"a".repeat(64)] {
            assert_eq!(
                bad.parse::<TenantId>().unwrap_err().code(),
                Code::NameInvalid,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_bare_type_is_the_plugins_own() {
        let own: PluginName = "payment".parse().unwrap();
        assert_eq!(
            TypeName::of_guest(&own, "Charge").unwrap().to_string(),
            "payment.Charge"
        );
        assert_eq!(
            TypeName::of_guest(&own, "billing.Charge")
                .unwrap()
                .to_string(),
            "billing.Charge"
        );
        assert_eq!(
            TypeName::of_guest(&own, "Billing.Charge")
                .unwrap()
                .to_string(),
            "payment.Billing.Charge"
        );
    }
}
