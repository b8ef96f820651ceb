//! Holds what a component says of itself against what it has.

use std::collections::{BTreeMap, BTreeSet};

use tenterhook_domain::{
    PluginName, Result, TypeName,
    component::{MessageType, Metadata, WantedGrants, WorkflowType},
    grant::{HTTP_GRANTS_MAX, HostPattern},
};

use super::{describe::Described, has_workflows, schema, untrue};
use crate::{
    generated::{
        metadata::exports::tenterhook::plugin::metadata as wit,
        workflow::temporal::workflow_runtime::types::WorkflowDefinition,
    },
    outline::{ACTIVITIES, Outline, WORKFLOW_GUEST, listed},
};

/// Most workflow types, or activity types, of one plugin.
const TYPES_MAX: usize = 1000;
/// Most signals, or queries, or updates, of one workflow type.
const MESSAGES_MAX: usize = 200;
/// Longest description, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 4096;
/// Most configuration keys a plugin may ask for.
const CONFIG_KEYS_MAX: usize = 200;
/// Longest name of a configuration key, in bytes.
const CONFIG_KEY_BYTES_MAX: usize = 200;

/// The metadata of the component uploaded as `plugin`: workflows as `list-workflows` has them, with what its
/// metadata says of them.
///
/// # Errors
/// `component-metadata-invalid`, naming what does not fit.
pub(super) fn merge(
    plugin: &PluginName,
    outline: &Outline,
    described: Described,
) -> Result<Metadata> {
    let listed = by_name(plugin, "workflow", described.workflows, |definition| {
        &definition.workflow_type
    })?;
    let Some(said) = described.plugin else {
        let workflows = listed
            .into_values()
            .map(|definition| workflow(definition, None))
            .collect::<Result<_>>()?;
        return Ok(Metadata {
            workflows,
            ..Metadata::default()
        });
    };
    let mut lies = identity_lies(plugin, &said);
    let mut said_workflows = by_name(plugin, "workflow", said.workflows, |workflow| {
        &workflow.definition.name
    })?;
    lies.extend(workflow_lies(outline, &listed, &said_workflows));
    let activities = by_name(plugin, "activity", said.activities, |activity| {
        &activity.name
    })?;
    lies.extend(activity_lie(outline, activities.is_empty()));
    if !lies.is_empty() {
        return Err(untrue(lies.join("; ")));
    }
    let workflows = listed
        .into_iter()
        .map(|(name, definition)| workflow(definition, said_workflows.remove(&name)))
        .collect::<Result<_>>()?;
    Ok(Metadata {
        name: Some(said.name),
        version: Some(said.version),
        description: description("the plugin", said.description)?,
        workflows,
        activities: activities
            .into_values()
            .map(|activity| message(&format!("activity {:?}", activity.name), activity))
            .collect::<Result<_>>()?,
        wants: wants(said.wants)?,
    })
}

fn identity_lies(plugin: &PluginName, said: &wit::Plugin) -> Vec<String> {
    let mut lies = Vec::new();
    if said.name != plugin.as_str() {
        lies.push(format!(
            "the component says that it is plugin {:?}, but it was uploaded as {:?}: upload it under its own name",
            cut(&said.name),
            plugin.as_str()
        ));
    }
    if let Err(error) = said.version.parse::<semver::Version>() {
        lies.push(format!(
            "the version {:?} is no semantic version: {error}",
            cut(&said.version)
        ));
    }
    lies
}

/// `items` by their names, which must be type names and differ.
fn by_name<T>(
    plugin: &PluginName,
    kind: &str,
    items: Vec<T>,
    name: impl Fn(&T) -> &String,
) -> Result<BTreeMap<String, T>> {
    if items.len() > TYPES_MAX {
        return Err(untrue(format!(
            "the component has {} {kind} types, {TYPES_MAX} are allowed",
            items.len()
        )));
    }
    let mut by_name = BTreeMap::new();
    for item in items {
        let key = name(&item).clone();
        TypeName::new(plugin.clone(), &key)
            .map_err(|error| untrue(format!("a {kind} type: {}", error.detail())))?;
        if by_name.insert(key.clone(), item).is_some() {
            return Err(untrue(format!("there are two {kind} types {key:?}")));
        }
    }
    Ok(by_name)
}

fn workflow_lies(
    outline: &Outline,
    listed_by_guest: &BTreeMap<String, WorkflowDefinition>,
    said: &BTreeMap<String, wit::WorkflowType>,
) -> Vec<String> {
    let mut lies = Vec::new();
    let extra: Vec<String> = said
        .keys()
        .filter(|name| !listed_by_guest.contains_key(*name))
        .cloned()
        .collect();
    if !extra.is_empty() {
        let why = if has_workflows(outline) {
            "list-workflows does not have them".to_owned()
        } else {
            format!("the component does not export {WORKFLOW_GUEST:?}")
        };
        lies.push(format!(
            "the metadata has workflows that do not exist ({why}): {}",
            listed(&extra)
        ));
    }
    let missing: Vec<String> = listed_by_guest
        .keys()
        .filter(|name| !said.contains_key(*name))
        .cloned()
        .collect();
    if !missing.is_empty() {
        lies.push(format!(
            "the metadata does not mention these workflows of list-workflows: {}",
            listed(&missing)
        ));
    }
    lies
}

fn activity_lie(outline: &Outline, none_said: bool) -> Option<String> {
    // The other way round is no lie: a world exports the interface, also of a plugin that has no activities yet.
    (!none_said && !outline.has_export(ACTIVITIES)).then(|| {
        format!("the metadata has activities, but the component does not export {ACTIVITIES:?}")
    })
}

/// A workflow as the guest lists it, with what its metadata says of it.
fn workflow(has: WorkflowDefinition, said: Option<wit::WorkflowType>) -> Result<WorkflowType> {
    let what = format!("workflow {:?}", has.workflow_type);
    let updates = has.updates.into_iter().map(|update| update.name).collect();
    let Some(said) = said else {
        return Ok(WorkflowType {
            definition: bare(has.workflow_type),
            signals: messages(&what, "signal", has.signals, Vec::new())?,
            queries: messages(&what, "query", has.queries, Vec::new())?,
            updates: messages(&what, "update", updates, Vec::new())?,
        });
    };
    Ok(WorkflowType {
        definition: message(&what, said.definition)?,
        signals: messages(&what, "signal", has.signals, said.signals)?,
        queries: messages(&what, "query", has.queries, said.queries)?,
        updates: messages(&what, "update", updates, said.updates)?,
    })
}

/// The messages that a workflow has, with what is said of them; nothing may be said of one it has not.
fn messages(
    workflow: &str,
    kind: &str,
    has: Vec<String>,
    said: Vec<wit::MessageType>,
) -> Result<Vec<MessageType>> {
    if has.len().max(said.len()) > MESSAGES_MAX {
        return Err(untrue(format!(
            "{workflow} has more than {MESSAGES_MAX} messages of kind {kind}"
        )));
    }
    let names: BTreeSet<String> = has.into_iter().collect();
    let mut messages = BTreeMap::new();
    for said in said {
        let name = said.name.clone();
        if !names.contains(&name) {
            return Err(untrue(format!(
                "the metadata of {workflow} has the {kind} {:?}, which the workflow does not have",
                cut(&name)
            )));
        }
        let what = format!("{kind} {name:?} of {workflow}");
        if messages.insert(name, message(&what, said)?).is_some() {
            return Err(untrue(format!("the metadata has {what} twice")));
        }
    }
    Ok(names
        .into_iter()
        .map(|name| messages.remove(&name).unwrap_or_else(|| bare(name)))
        .collect())
}

fn bare(name: String) -> MessageType {
    MessageType {
        name,
        ..MessageType::default()
    }
}

fn message(what: &str, said: wit::MessageType) -> Result<MessageType> {
    let read = |part: &str, text: Option<String>| {
        text.map(|text| schema::parse(&format!("the {part} of {what}"), &text))
            .transpose()
    };
    Ok(MessageType {
        name: said.name,
        description: description(what, said.description)?,
        input_schema: read("input", said.input_schema)?,
        result_schema: read("result", said.result_schema)?,
    })
}

fn description(what: &str, text: Option<String>) -> Result<Option<String>> {
    match text {
        Some(text) if text.len() > DESCRIPTION_BYTES_MAX => Err(untrue(format!(
            "the description of {what} has {} bytes, {DESCRIPTION_BYTES_MAX} are allowed",
            text.len()
        ))),
        text => Ok(text),
    }
}

fn wants(said: wit::WantedGrants) -> Result<WantedGrants> {
    if said.http.len() > HTTP_GRANTS_MAX || said.config.len() > CONFIG_KEYS_MAX {
        return Err(untrue(format!(
            "the plugin asks for {} hosts and {} configuration keys: {HTTP_GRANTS_MAX} and {CONFIG_KEYS_MAX} are allowed",
            said.http.len(),
            said.config.len()
        )));
    }
    for host in &said.http {
        if let Some(key) = host.strip_prefix("config:") {
            if !said.config.iter().any(|wanted| wanted == key) {
                return Err(untrue(format!(
                    "the plugin asks for the host in configuration key {:?}, but not for the key: add it to wants.config",
                    cut(key)
                )));
            }
        } else if let Err(error) = HostPattern::parse(host) {
            return Err(untrue(format!("in wants.http: {}", error.detail())));
        }
    }
    if let Some(key) = said
        .config
        .iter()
        .find(|key| key.is_empty() || key.len() > CONFIG_KEY_BYTES_MAX)
    {
        return Err(untrue(format!(
            "{:?} in wants.config is no configuration key: use 1 to {CONFIG_KEY_BYTES_MAX} bytes",
            cut(key)
        )));
    }
    Ok(WantedGrants {
        http: said.http,
        keyvalue: said.keyvalue,
        config: said.config,
    })
}

/// The beginning of a name that the component chose, for an error.
fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

#[cfg(test)]
mod tests;
