//! Search attributes and memo.

use temporalio_protos::temporal::api::common::v1::{Payload, SearchAttributes};
use tenterhook_domain::{PluginName, Scope};

use super::{Refusal, refused};
use crate::{payload, reserved};

/// Refuses attributes that say whose an execution is, and those of Temporal's own.
pub(super) fn check(attributes: Option<&SearchAttributes>) -> Result<(), Refusal> {
    let mut names = attributes.iter().flat_map(|all| all.indexed_fields.keys());
    match names.find(|name| reserved::is_search_attribute(name)) {
        None => Ok(()),
        Some(name) => refused(format!(
            "search attribute {name:?} is the host's or Temporal's: choose another"
        )),
    }
}

/// Temporal's Rust SDK unsets an attribute by a payload without anything in it, which the server (1.29) refuses
/// as no value of the attribute's type. It takes the payload that says that there is no value.
pub(super) fn spell_out_unset(attributes: Option<&mut SearchAttributes>) {
    let values = attributes
        .into_iter()
        .flat_map(|all| all.indexed_fields.values_mut());
    for value in values.filter(|value| **value == Payload::default()) {
        *value = payload::of_nothing();
    }
}

/// Refuses memo keys of the host.
pub(super) fn check_memo<'a>(mut keys: impl Iterator<Item = &'a String>) -> Result<(), Refusal> {
    match keys.find(|key| reserved::is_prefixed(key)) {
        None => Ok(()),
        Some(key) => refused(format!(
            "memo key {key:?} starts with {:?}, which is the host's: choose another",
            reserved::PREFIX
        )),
    }
}

/// Says in `attributes` whose an execution is.
pub(super) fn mark(attributes: &mut SearchAttributes, scope: &Scope, plugin: &PluginName) {
    let owner = [
        (reserved::TENANT, scope.tenant.as_str()),
        (reserved::ENVIRONMENT, scope.environment.as_str()),
        (reserved::PLUGIN, plugin.as_str()),
    ];
    for (name, value) in owner {
        attributes
            .indexed_fields
            .insert(name.to_owned(), payload::of_keyword(value));
    }
}
