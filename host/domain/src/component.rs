//! What a component says of itself, and what the host found when it looked.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    PluginName,
    check::{Check, Severity},
    error::Result,
    grant::Grants,
};

/// Largest component that is accepted, in bytes.
pub const COMPONENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A type of work by name, with JSON Schemas where the plugin gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MessageType {
    /// The name inside the plugin.
    pub name: String,
    /// For a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<serde_json::Value>,
    /// JSON Schema of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_schema: Option<serde_json::Value>,
}

/// A workflow type and the messages it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WorkflowType {
    /// Name, input and result.
    #[serde(flatten)]
    pub definition: MessageType,
    /// Signals it handles.
    #[serde(default)]
    pub signals: Vec<MessageType>,
    /// Queries it answers.
    #[serde(default)]
    pub queries: Vec<MessageType>,
    /// Updates it takes.
    #[serde(default)]
    pub updates: Vec<MessageType>,
}

/// What a plugin asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WantedGrants {
    /// Hosts (patterns as in grants), or `config:KEY` for the host of the URL in that configuration key.
    #[serde(default)]
    pub http: Vec<String>,
    /// Key-value state of its own.
    #[serde(default)]
    pub keyvalue: bool,
    /// Configuration keys it reads.
    #[serde(default)]
    pub config: Vec<String>,
}

/// What a plugin is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Metadata {
    /// The plugin's name; `None` for a component built with Temporal's SDK alone.
    pub name: Option<String>,
    /// Its semantic version, if it has one.
    pub version: Option<String>,
    /// For a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Workflow types.
    pub workflows: Vec<WorkflowType>,
    /// Activity types.
    pub activities: Vec<MessageType>,
    /// What it asks for.
    #[serde(default)]
    pub wants: WantedGrants,
}

/// What an inspection found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// What it says of itself; workflows come from `list-workflows`, with schemas from its metadata. Empty when the
    /// component could not be asked.
    pub metadata: Metadata,
    /// What was looked at. The last one is a refusal if there is one: nothing is looked at after it.
    pub checks: Vec<Check>,
}

impl Inspection {
    /// The check that refuses the component, if one does.
    pub fn refusal(&self) -> Option<&Check> {
        self.checks
            .iter()
            .find(|check| check.severity == Severity::Refused)
    }
}

/// What a component is looked at against.
#[derive(Debug, Clone, Copy)]
pub struct InspectionContext<'a> {
    /// The plugin it was uploaded as.
    pub plugin: &'a PluginName,
    /// What the plugin may do: its limits hold in the checks too.
    pub grants: &'a Grants,
    /// The metadata of the release that new executions start on now, if there is one.
    pub current: Option<&'a Metadata>,
}

/// Looks at an uploaded component before it takes executions. `sandbox` implements it.
#[async_trait::async_trait]
pub trait Inspector: Send + Sync + 'static {
    /// Checks `component` in `context`; tells `watch` the name of each check that begins.
    ///
    /// # Errors
    /// A fault of the host, after which it may be tried again. What is wrong with the component is no error but a
    /// [`Check`] that refuses it.
    async fn inspect(
        &self,
        context: InspectionContext<'_>,
        component: bytes::Bytes,
        watch: &(dyn Fn(&'static str) + Send + Sync),
    ) -> Result<Inspection>;
}

/// Where hosts leave compiled code for one another. What is taken from it is not trusted: who uses it, checks it.
/// `store` implements it.
#[async_trait::async_trait]
pub trait CompiledShelf: Send + Sync + 'static {
    /// What was put for `digest` by a host whose engines are called `engines`; none where nothing was.
    ///
    /// # Errors
    /// `store-failed`.
    async fn get(&self, digest: &crate::Digest, engines: &str) -> Result<Option<bytes::Bytes>>;
    /// Puts it there, in place of what was.
    ///
    /// # Errors
    /// `store-failed`.
    async fn put(&self, digest: &crate::Digest, engines: &str, code: bytes::Bytes) -> Result<()>;
    /// The components of which something was put before `time`, in milliseconds since the Unix epoch, by the clock of
    /// whatever holds it.
    ///
    /// # Errors
    /// `store-failed`.
    async fn put_before(&self, time: u64) -> Result<BTreeSet<crate::Digest>>;
    /// Removes what all engines made of `digest`.
    ///
    /// # Errors
    /// `store-failed`.
    async fn delete(&self, digest: &crate::Digest) -> Result<()>;
}

/// Compiled code that one host keeps, in memory and on disk. `sandbox` implements it.
pub trait CompiledCode: Send + Sync + 'static {
    /// The components of which there is any.
    fn held(&self) -> Vec<crate::Digest>;
    /// Lets go of one. Instances that run it go on.
    fn forget(&self, digest: &crate::Digest);
}
