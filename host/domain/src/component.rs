//! What a component says of itself, and what the host found when it looked.

use serde::{Deserialize, Serialize};

use crate::{digest::Digest, error::Result};

/// Largest component that is accepted, in bytes.
pub const COMPONENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A type of work by name, with JSON Schemas where the plugin gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// One thing that was looked at on upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// A stable name: `imports`, `exports`, `metadata`, `schemas`, `compiles`, `instantiates`.
    pub name: String,
    /// What was found, for a person.
    pub detail: String,
}

/// A component that passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// Its digest.
    pub digest: Digest,
    /// What it says of itself; workflows come from `list-workflows`, with schemas from its metadata.
    pub metadata: Metadata,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// Looks at an uploaded component before it is stored. `sandbox` implements it.
#[async_trait::async_trait]
pub trait Inspector: Send + Sync + 'static {
    /// Checks `component`, uploaded as plugin `plugin`.
    ///
    /// # Errors
    /// A `component-…` code that says what is wrong and where.
    async fn inspect(
        &self,
        plugin: &crate::PluginName,
        component: bytes::Bytes,
    ) -> Result<Inspection>;
}
