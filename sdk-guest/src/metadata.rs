//! What `describe` answers: names, versions, and JSON Schemas of everything that goes in and comes out.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use temporalio_workflow::__private::macros::WorkflowDefinitionDescriptor;

use crate::activity::ActivityEntry;
use crate::bounds::{Described, Query, Signal, Update, Workflow};
use crate::generated::exports::tenterhook::plugin::metadata::{
    MessageType, Plugin, WantedGrants, WorkflowType,
};

/// Gathers what [`plugin!`](crate::plugin) was given.
pub struct PluginBuilder {
    plugin: Plugin,
}

impl PluginBuilder {
    /// A plugin without workflows, activities or wishes.
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self {
            plugin: Plugin {
                name: name.to_owned(),
                version: version.to_owned(),
                description: said(description),
                workflows: Vec::new(),
                activities: Vec::new(),
                wants: WantedGrants {
                    http: Vec::new(),
                    keyvalue: false,
                    config: Vec::new(),
                },
            },
        }
    }

    /// Adds a workflow.
    pub fn workflow(&mut self, workflow: WorkflowType) {
        self.plugin.workflows.push(workflow);
    }

    /// Adds the activities.
    pub fn activities(&mut self, sets: &[&[ActivityEntry]]) {
        for entry in sets.iter().copied().flatten() {
            self.plugin.activities.push(MessageType {
                name: entry.name.to_owned(),
                description: said(entry.description),
                input_schema: Some((entry.input_schema)()),
                result_schema: Some((entry.result_schema)()),
            });
        }
    }

    /// Sets what the plugin asks for.
    pub fn wants(&mut self, http: &[&str], keyvalue: bool, config: &[&str]) {
        let owned = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
        self.plugin.wants = WantedGrants {
            http: owned(http),
            keyvalue,
            config: owned(config),
        };
    }

    /// The whole.
    pub fn build(self) -> Plugin {
        self.plugin
    }
}

/// Gathers one workflow of [`plugin!`](crate::plugin).
pub struct WorkflowBuilder {
    workflow: WorkflowType,
}

impl WorkflowBuilder {
    /// A workflow with all its handlers, which Temporal's macro knows by name only.
    pub fn new<W, I, O>(description: &str) -> Self
    where
        W: Workflow<I, O>,
        I: Described,
        O: Described,
    {
        Self::of(W::definition(), description, I::schema, O::schema)
    }

    // Once for all workflows, to keep components small.
    #[inline(never)]
    fn of(
        definition: WorkflowDefinitionDescriptor,
        description: &str,
        input: fn() -> String,
        result: fn() -> String,
    ) -> Self {
        Self {
            workflow: WorkflowType {
                definition: MessageType {
                    name: definition.workflow_type,
                    description: said(description),
                    input_schema: Some(input()),
                    result_schema: Some(result()),
                },
                signals: definition.signals.into_iter().map(named).collect(),
                queries: definition.queries.into_iter().map(named).collect(),
                updates: definition
                    .updates
                    .into_iter()
                    .map(|update| named(update.name))
                    .collect(),
            },
        }
    }

    /// Adds the schemas of a signal.
    pub fn signals<S>(&mut self, signal: S)
    where
        S: Signal,
        S::Input: Described,
    {
        if let Some(entry) = find(&mut self.workflow.signals, signal.name()) {
            entry.input_schema = Some(S::Input::schema());
        }
    }

    /// Adds the schemas of a query.
    pub fn queries<Q>(&mut self, query: Q)
    where
        Q: Query,
        Q::Input: Described,
        Q::Output: Described,
    {
        if let Some(entry) = find(&mut self.workflow.queries, query.name()) {
            entry.input_schema = Some(Q::Input::schema());
            entry.result_schema = Some(Q::Output::schema());
        }
    }

    /// Adds the schemas of an update.
    pub fn updates<U>(&mut self, update: U)
    where
        U: Update,
        U::Input: Described,
        U::Output: Described,
    {
        if let Some(entry) = find(&mut self.workflow.updates, update.name()) {
            entry.input_schema = Some(U::Input::schema());
            entry.result_schema = Some(U::Output::schema());
        }
    }

    /// The whole.
    pub fn build(self) -> WorkflowType {
        self.workflow
    }
}

fn find<'a>(entries: &'a mut [MessageType], name: &str) -> Option<&'a mut MessageType> {
    entries.iter_mut().find(|entry| entry.name == name)
}

fn named(name: String) -> MessageType {
    MessageType {
        name,
        description: None,
        input_schema: None,
        result_schema: None,
    }
}

/// The JSON Schema (draft 2020-12) of a type, as text.
pub(crate) fn schema<T: JsonSchema>() -> String {
    document(T::json_schema, T::schema_name)
}

/// What [`SchemaGenerator::root_schema_for`] makes, but once for all types, to keep components small. Draft 2020-12 is what
/// schemars writes: it has no transforms to apply.
#[inline(never)]
fn document(
    schema: fn(&mut SchemaGenerator) -> Schema,
    title: fn() -> Cow<'static, str>,
) -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = schema(&mut generator);
    if let Some(draft) = &generator.settings().meta_schema {
        schema.insert("$schema".to_owned(), draft.to_string().into());
    }
    let root = schema.ensure_object();
    root.entry("title").or_insert_with(|| title().into());
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), definitions.into());
    }
    schema.as_value().to_string()
}

/// A doc comment as plain text: its lines without the space after the slashes.
fn said(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let text = lines.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_become_plain_text() {
        assert_eq!(said(""), None);
        assert_eq!(said("\n \n"), None);
        let text = said(" Takes a payment.\n\n Or not.\n");
        assert_eq!(text.as_deref(), Some("Takes a payment.\n\nOr not."));
    }

    #[test]
    fn schemas_are_of_the_draft_that_the_host_reads() {
        let schema = schema::<Option<u32>>();
        assert!(schema.contains("https://json-schema.org/draft/2020-12/schema"));
        assert!(schema.contains("\"null\""), "{schema}");
    }
}
