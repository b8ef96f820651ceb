//! Whose code an instance runs: what log lines are labelled with and state is kept under.

use tenterhook_domain::{Digest, PluginName, Scope};

/// The scope and plugin an instance works for, and the release it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The tenant and environment.
    pub scope: Scope,
    /// The plugin.
    pub plugin: PluginName,
    /// The release.
    pub digest: Digest,
}
