//! What the host looks at before a release takes traffic, and what it found.

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// As it should be.
    Passed,
    /// Worth a look; nothing stands in the way.
    Warning,
    /// The release is refused.
    Refused,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// A stable name: one of [`CHECKS`].
    pub name: String,
    /// How much it weighs.
    pub severity: Severity,
    /// What was found, for programs: of a refusal or a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was found, where, and what to do about it.
    pub detail: String,
}

impl Check {
    /// As it should be.
    pub fn passed(name: &str, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            severity: Severity::Passed,
            code: None,
            detail: detail.into(),
        }
    }

    /// Worth a look.
    pub fn warning(name: &str, code: crate::Code, detail: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            code: Some(code.as_str().to_owned()),
            ..Self::passed(name, detail)
        }
    }

    /// The reason why the release is refused.
    pub fn refused(name: &str, error: &crate::Error) -> Self {
        Self {
            severity: Severity::Refused,
            code: Some(error.code().as_str().to_owned()),
            ..Self::passed(name, error.detail())
        }
    }
}

/// The names of all checks, in the order in which they run.
pub const CHECKS: &[&str] = &[
    "signature",
    "component",
    "imports",
    "exports",
    "compiles",
    "instantiates",
    "metadata",
    "schemas",
    "grants",
    "determinism",
    "compatibility",
    "replay",
];

/// How far the checks of a release are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// Checks that are over.
    pub done: u32,
    /// Checks there are.
    pub total: u32,
    /// What is looked at now: the name of a check.
    pub now: String,
}
