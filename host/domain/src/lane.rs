//! Lanes of a scope's own: where they are, and how executions and types are called there.
//!
//! On the pooled lane an id begins with its scope, and a type with its plugin. A lane of one scope may do without both,
//! so that Temporal's own tools can drive it and executions that were begun without this host go on.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Code, Error, Result},
    name::{PluginName, Scope, TypeName},
};

/// Longest name of a namespace or task queue, in bytes. Temporal's own limit is 1,000.
pub const LANE_NAME_BYTES_MAX: usize = 200;
/// Lanes that hosts work beside the pooled one: each keeps its own polls open.
pub const LANES_MAX: usize = 16;

/// A lane of one scope's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneSettings {
    /// Its Temporal namespace, which is this scope's alone; without one it is the hosts' own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
    )]
    pub namespace: Option<String>,
    /// Its task queue.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
    )]
    pub task_queue: String,
    /// The plugin whose types are called by their bare names here: `ProcessPayment` for `payment.ProcessPayment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_plugin: Option<PluginName>,
}

impl LaneSettings {
    /// Refuses names that Temporal or a query would not take.
    ///
    /// # Errors
    /// `lane-invalid`, saying which name.
    pub fn check(&self) -> Result<()> {
        let namespace = self.namespace.as_deref().map(|name| ("namespace", name));
        let queue = ("task queue", self.task_queue.as_str());
        for (what, name) in namespace.into_iter().chain([queue]) {
            let mut bytes = name.bytes();
            let good = bytes.next().is_some_and(|it| it.is_ascii_alphanumeric())
                && bytes.all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it))
                && name.len() <= LANE_NAME_BYTES_MAX;
            if !good {
                let start: String = name.chars().take(64).collect();
                return Err(Error::new(
                    Code::LaneInvalid,
                    format!(
                        "{start:?} is no {what} for a lane: use a letter or digit, then letters, digits, '.', '_' and '-', {LANE_NAME_BYTES_MAX} at most"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// True if nothing but the scope's own work is in its namespace.
    pub fn is_apart(&self) -> bool {
        self.namespace.is_some()
    }

    /// How an execution that is begun here is called.
    pub fn ids(&self) -> Ids {
        match self.is_apart() {
            true => Ids::Plain { apart: true },
            false => Ids::Scoped,
        }
    }

    /// How the execution `workflow_id` of this lane calls others.
    pub fn ids_of(&self, scope: &Scope, workflow_id: &str) -> Ids {
        match self.is_apart() {
            true => Ids::Plain { apart: true },
            false if Ids::Scoped.caller_id(scope, workflow_id).is_some() => Ids::Scoped,
            false => Ids::Plain { apart: false },
        }
    }
}

/// How Temporal knows the executions of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ids {
    /// By the scope and the caller's id: `acme/production/order-1`.
    #[default]
    Scoped,
    /// By the caller's id alone.
    Plain {
        /// The namespace is the scope's alone. In a shared one, ids that begin with another scope are that scope's.
        apart: bool,
    },
}

impl Ids {
    /// Temporal's id for the caller's.
    ///
    /// # Errors
    /// `workflow-id-invalid`, as [`Scope::temporal_id`]; and where it is another scope's.
    pub fn temporal_id(self, scope: &Scope, id: &str) -> Result<String> {
        let scoped = scope.temporal_id(id)?;
        match self {
            Self::Scoped => Ok(scoped),
            Self::Plain { .. } if self.caller_id(scope, id).is_some() => Ok(id.to_owned()),
            Self::Plain { .. } => Err(Error::new(
                Code::WorkflowIdInvalid,
                format!("the id {id:?} begins as those of another scope do: choose another"),
            )),
        }
    }

    /// The caller's id for Temporal's, if it is of `scope`.
    pub fn caller_id(self, scope: &Scope, temporal_id: &str) -> Option<String> {
        match self {
            Self::Scoped => scope.caller_id(temporal_id).map(str::to_owned),
            Self::Plain { apart } => {
                let other = Scope::of_temporal_id(temporal_id);
                let is_others = other.is_some_and(|(other, _)| other != *scope);
                let own = !temporal_id.is_empty() && (apart || !is_others);
                own.then(|| temporal_id.to_owned())
            }
        }
    }
}

/// How a run calls other executions and its own plugin's types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Naming {
    /// Executions.
    pub ids: Ids,
    /// Types of its own plugin have their bare names in its history, for the lane has a default plugin.
    pub bare: bool,
}

impl Naming {
    /// The type `name` as a run of `own` writes it into its history.
    pub fn spell(self, own: &PluginName, name: &TypeName) -> String {
        // A bare name that reads as another plugin's stays whole.
        let reads_back = || TypeName::of_guest(own, &name.name).is_ok_and(|read| read == *name);
        if self.bare && reads_back() {
            return name.name.to_string();
        }
        name.to_string()
    }
}

/// Where lanes are worked. `worker` implements it on Temporal.
#[async_trait]
pub trait LaneGround: Send + Sync + 'static {
    /// Makes sure that hosts can work such a lane, and that it is not the one they share.
    ///
    /// # Errors
    /// `lane-invalid` when the namespace is not there or the lane is the pooled one; `temporal-unavailable`.
    async fn prepare(&self, lane: &LaneSettings) -> Result<()>;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lane(namespace: Option<&str>) -> LaneSettings {
        LaneSettings {
            namespace: namespace.map(str::to_owned),
            task_queue: "acme".into(),
            default_plugin: Some("payment".parse().unwrap()),
        }
    }

    #[test]
    fn names_that_could_leave_a_query_are_refused() {
        assert!(lane(Some("acme-1.b_c")).check().is_ok());
        for bad in ["", "a b", "a'", "-a", "ä", &"a".repeat(201)] {
            let refused = lane(Some(bad)).check().unwrap_err();
            assert_eq!(refused.code(), Code::LaneInvalid, "{bad:?}");
            let queue = LaneSettings {
                task_queue: bad.to_owned(),
                ..lane(None)
            };
            assert_eq!(queue.check().unwrap_err().code(), Code::LaneInvalid);
        }
    }

    #[test]
    fn plain_ids_are_the_scopes_own_but_in_a_shared_namespace_not_another_scopes() {
        let scope: Scope = "acme/production".parse().unwrap();
        let (apart, shared) = (lane(Some("acme")), lane(None));
        for (id, in_shared) in [
            ("order-1", true),
            ("orders/2024/1", true),
            ("acme/production/order-1", true),
            ("globex/production/order-1", false),
        ] {
            let ids = Ids::Plain { apart: true };
            assert_eq!(ids.temporal_id(&scope, id).unwrap(), id);
            assert_eq!(ids.caller_id(&scope, id).as_deref(), Some(id));
            let ids = Ids::Plain { apart: false };
            assert_eq!(ids.temporal_id(&scope, id).is_ok(), in_shared, "{id}");
            assert_eq!(ids.caller_id(&scope, id).is_some(), in_shared, "{id}");
            assert_eq!(apart.ids_of(&scope, id), Ids::Plain { apart: true });
        }
        assert_eq!(shared.ids_of(&scope, "acme/production/a"), Ids::Scoped);
        assert_eq!(
            shared.ids_of(&scope, "order-1"),
            Ids::Plain { apart: false }
        );
        assert!(Ids::Plain { apart: true }.temporal_id(&scope, "").is_err());
        assert_eq!(shared.ids(), Ids::Scoped);
    }

    #[test]
    fn bare_names_are_written_where_they_read_back() {
        let own: PluginName = "payment".parse().unwrap();
        let bare = Naming {
            bare: true,
            ..Naming::default()
        };
        for (name, bared) in [
            ("payment.Charge", "Charge"),
            ("billing.Charge", "billing.Charge"),
            ("payment.billing.Charge", "payment.billing.Charge"),
            ("payment.Card.Charge", "Card.Charge"),
        ] {
            let read: TypeName = name.parse().unwrap();
            assert_eq!(bare.spell(&own, &read), bared);
            assert_eq!(Naming::default().spell(&own, &read), name);
        }
    }
}
