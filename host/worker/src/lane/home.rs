//! Whose lane it is, and so whose the work on it is: what a context says, or the lane itself.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use temporalio_protos::temporal::api::common::v1::Payload;
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope, TypeName,
    context::{Context, ContextKeys, HEADER},
    lane::{Ids, LaneSettings, Naming},
};

/// Whose lane it is.
pub(crate) enum Home {
    /// All scopes'.
    Pooled,
    /// One scope's.
    Dedicated(Dedicated),
}

/// A lane of one scope's own.
pub(crate) struct Dedicated {
    scope: Scope,
    settings: RwLock<LaneSettings>,
}

/// A piece of work, and whose it is.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) context: Context,
    pub(crate) type_name: TypeName,
    /// How its execution calls others, and its types.
    pub(crate) naming: Naming,
    /// What its caller calls the execution.
    pub(crate) caller_id: String,
}

fn refused(why: impl Into<String>) -> Error {
    Error::new(Code::ContextInvalid, why)
}

impl Home {
    /// The lane of `scope`'s own with these settings.
    pub(crate) fn of(scope: Scope, settings: LaneSettings) -> Self {
        Self::Dedicated(Dedicated {
            scope,
            settings: RwLock::new(settings),
        })
    }

    /// Changes what may change while the lane is worked: its default plugin.
    pub(crate) fn set(&self, settings: LaneSettings) {
        if let Self::Dedicated(lane) = self {
            *lane
                .settings
                .write()
                .unwrap_or_else(PoisonError::into_inner) = settings;
        }
    }

    /// Whose the work is that comes with `header`, of the execution `temporal_id` and the type `type_name`. `began_at` is
    /// when the server took it up, in milliseconds since the Unix epoch, where it says so.
    ///
    /// # Errors
    /// `context-invalid` for a context that is not this work's, and for none where the lane needs one; `name-invalid`
    /// for a type that is no plugin's.
    pub(crate) fn claim(
        &self,
        keys: &ContextKeys,
        header: &HashMap<String, Payload>,
        temporal_id: &str,
        type_name: &str,
        began_at: Option<u64>,
    ) -> Result<Claimed> {
        let given = header
            .get(HEADER)
            .map(|payload| {
                let token = serde_json::from_slice::<String>(&payload.data);
                let token =
                    token.map_err(|_| refused("the context header is refused: it is malformed"))?;
                let context = keys.verify_work(&token, temporal_id, type_name)?;
                began_at.map_or(Ok(()), |at| context.check_begun(at))?;
                Ok(context)
            })
            .transpose()?;
        let type_name = self.type_name(type_name)?;
        let context = match (self, given) {
            (Self::Pooled, Some(context)) => context,
            (Self::Pooled, None) => {
                return Err(refused(
                    "work on a shared lane needs a context header: start it through this host's API",
                ));
            }
            (Self::Dedicated(lane), Some(context)) if context.scope == lane.scope => context,
            (Self::Dedicated(lane), Some(context)) => {
                return Err(refused(format!(
                    "the context header is of scope {}, the lane is {}'s",
                    context.scope, lane.scope
                )));
            }
            (Self::Dedicated(lane), None) => Context {
                scope: lane.scope.clone(),
                plugin: type_name.plugin.clone(),
                workflow_id: temporal_id.to_owned(),
                digest: None,
                begins_by: None,
            },
        };
        if type_name.plugin != context.plugin {
            return Err(refused(format!(
                "the context header is of plugin {}, the type {type_name} is not",
                context.plugin
            )));
        }
        let ids = self.ids(temporal_id);
        let caller_id = ids.caller_id(&context.scope, temporal_id).ok_or_else(|| {
            refused(format!(
                "the execution {temporal_id:?} is not one of scope {}",
                context.scope
            ))
        })?;
        Ok(Claimed {
            context,
            naming: Naming { ids, bare: false },
            type_name,
            caller_id,
        })
    }

    /// The same of a workflow's first activation, whose type says how the run writes others.
    pub(crate) fn claim_run(
        &self,
        keys: &ContextKeys,
        header: &HashMap<String, Payload>,
        temporal_id: &str,
        type_name: &str,
        began_at: Option<u64>,
    ) -> Result<Claimed> {
        let mut claimed = self.claim(keys, header, temporal_id, type_name, began_at)?;
        claimed.naming.bare = claimed.type_name.to_string() != type_name;
        Ok(claimed)
    }

    /// The type that Temporal calls `text`.
    ///
    /// # Errors
    /// `name-invalid` when it is no plugin's.
    pub(crate) fn type_name(&self, text: &str) -> Result<TypeName> {
        match self.default_plugin() {
            Some(plugin) => TypeName::of_guest(&plugin, text),
            None => text.parse(),
        }
    }

    fn default_plugin(&self) -> Option<PluginName> {
        match self {
            Self::Pooled => None,
            Self::Dedicated(lane) => {
                let settings = lane.settings.read().unwrap_or_else(PoisonError::into_inner);
                settings.default_plugin.clone()
            }
        }
    }

    fn ids(&self, temporal_id: &str) -> Ids {
        match self {
            Self::Pooled => Ids::Scoped,
            Self::Dedicated(lane) => {
                let settings = lane.settings.read().unwrap_or_else(PoisonError::into_inner);
                settings.ids_of(&lane.scope, temporal_id)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_domain::context::ContextKey;

    use super::*;
    use crate::payload;

    fn keys(secret: u8) -> ContextKeys {
        ContextKeys::new(ContextKey::new("k", [secret; 32]), vec![])
    }

    fn header(keys: &ContextKeys, scope: &str, workflow_id: &str) -> HashMap<String, Payload> {
        let context = Context {
            scope: scope.parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            workflow_id: workflow_id.to_owned(),
            digest: None,
            begins_by: Some(5),
        };
        let token = keys.sign(&context).unwrap();
        [(HEADER.to_owned(), payload::of_json(&token.into()))].into()
    }

    fn lane(namespace: Option<&str>, default_plugin: Option<&str>) -> Home {
        let settings = LaneSettings {
            namespace: namespace.map(str::to_owned),
            task_queue: "acme".to_owned(),
            default_plugin: default_plugin.map(|name| name.parse().unwrap()),
        };
        Home::of("acme/production".parse().unwrap(), settings)
    }

    #[test]
    fn the_pooled_lane_takes_nothing_without_a_context() {
        let (home, id) = (Home::Pooled, "acme/production/a");
        let own = header(&keys(1), "acme/production", id);
        let claimed = home
            .claim(&keys(1), &own, id, "payment.Pay", Some(5))
            .unwrap();
        assert_eq!(claimed.caller_id, "a");
        let late = home.claim(&keys(1), &own, id, "payment.Pay", Some(6));
        assert_eq!(late.unwrap_err().code(), Code::ContextInvalid);
        for (header, id, name) in [
            (HashMap::new(), id, "payment.Pay"),
            (own.clone(), "acme/production/b", "payment.Pay"),
            (own.clone(), id, "billing.Pay"),
            (header(&keys(2), "acme/production", id), id, "payment.Pay"),
            (header(&keys(1), "acme/production", "x"), "x", "payment.Pay"),
        ] {
            let refused = home
                .claim(&keys(1), &header, id, name, Some(5))
                .unwrap_err();
            assert_eq!(refused.code(), Code::ContextInvalid, "{id} {name}");
        }
    }

    #[test]
    fn work_on_a_scopes_lane_is_the_scopes_unless_a_context_says_otherwise() {
        let home = lane(Some("acme"), Some("payment"));
        let none = HashMap::new();
        let claimed = home
            .claim_run(&keys(1), &none, "o-1", "Pay", Some(5))
            .unwrap();
        assert_eq!(claimed.type_name.to_string(), "payment.Pay");
        assert_eq!(
            (claimed.caller_id.as_str(), claimed.naming.bare),
            ("o-1", true)
        );
        let whole = home
            .claim_run(&keys(1), &none, "o-1", "billing.Pay", Some(5))
            .unwrap();
        assert_eq!(
            (whole.context.plugin.as_str(), whole.naming.bare),
            ("billing", false)
        );
        for wrong in [
            header(&keys(1), "globex/production", "o-1"),
            header(&keys(1), "acme/production", "o-2"),
            header(&keys(2), "acme/production", "o-1"),
            [(HEADER.to_owned(), Payload::default())].into(),
        ] {
            let refused = home
                .claim(&keys(1), &wrong, "o-1", "Pay", Some(5))
                .unwrap_err();
            assert_eq!(refused.code(), Code::ContextInvalid);
        }
        // Without a default plugin a bare name is nobody's.
        let refused = lane(None, None).claim(&keys(1), &none, "o-1", "Pay", Some(5));
        assert_eq!(refused.unwrap_err().code(), Code::NameInvalid);
    }

    #[test]
    fn in_a_shared_namespace_an_id_of_another_scope_is_not_the_lanes() {
        let home = lane(None, None);
        let none = HashMap::new();
        let claim = |id: &str| home.claim(&keys(1), &none, id, "payment.Pay", Some(5));
        assert_eq!(claim("acme/production/a").unwrap().caller_id, "a");
        assert_eq!(claim("a").unwrap().caller_id, "a");
        let refused = claim("globex/production/a").unwrap_err();
        assert_eq!(refused.code(), Code::ContextInvalid);
    }
}
