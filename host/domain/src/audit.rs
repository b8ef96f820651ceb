//! The audit log: who did what to whose release or policy, when, from where and why. Only ever added to.

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    name::{EnvironmentName, PluginName, TenantId},
};

/// Longest reason that is kept, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// Who does something, from where and why. Written down with what is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Author {
    /// `token:<id>`, or the part of the host that decided by itself: `host:checks`, `host:ramp`, `host:guard`,
    /// `host:retire`, `host:double-run`.
    pub who: String,
    /// The peer's address, or the identity of the host that decided.
    pub from: String,
    /// The caller's reason, or what led the host to it. May be empty.
    pub why: String,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Its place in the log; grows, without a promise to be dense.
    pub number: u64,
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// Who, from where, why.
    #[serde(flatten)]
    pub author: Author,
    /// What: `upload`, `state`, `promote`, `ramp`, `advance`, `pause`, `resume`, `halt`, `roll-back`, `policy`,
    /// `trust`, `secret`, `encryption`, `lane`, `context-key`, `non-deterministic`.
    pub action: String,
    /// Of which tenant; none where it is of the hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// In which environment; none where it is the tenant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// To which plugin, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginName>,
    /// To which release, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// From what to what, for a person: `ready → current`.
    pub detail: String,
}
