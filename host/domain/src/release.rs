//! Releases of a plugin.

use serde::{Deserialize, Serialize};

use crate::{
    component::{Check, Metadata},
    digest::Digest,
};

/// Where a release is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// Checked, and not taking new executions.
    Ready,
    /// New executions start on it.
    Current,
}

impl ReleaseState {
    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Current => "current",
        }
    }
}

/// One uploaded component of a plugin, immutable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// Its name.
    pub digest: Digest,
    /// The version its metadata gives, as a label.
    pub version: Option<String>,
    /// Where it is in its life.
    pub state: ReleaseState,
    /// Size of the component, in bytes.
    pub bytes: u64,
    /// When it was uploaded, milliseconds since the Unix epoch.
    pub uploaded_at: u64,
    /// What it says of itself.
    pub metadata: Metadata,
    /// What was looked at before it was stored.
    pub checks: Vec<Check>,
}
