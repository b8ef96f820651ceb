//! How a plugin's releases are handled: what an operator decides once.

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error, Result};

/// Most histories that one gate replays.
pub const SAMPLE_MAX: u32 = 1_000;
/// Longest that a release without executions is kept, in seconds: ten years.
pub const RETENTION_SECONDS_MAX: u64 = 10 * 365 * 86_400;

/// What a new release is to running executions: `pin`, they stay on theirs; `refuse`, it is refused if one of them
/// would not replay on it; `migrate`, those that replay on it move at their next task once it is current.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnDivergence {
    /// They stay on the release they began on; the report says what diverges.
    #[default]
    Pin,
    /// The release is refused.
    Refuse,
    /// Those whose own history replays the same move to the release that is current, at their next task; the others
    /// stay.
    Migrate,
}

/// When a chain of runs goes over to a newer release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeOn {
    /// Each run that continues as new starts on what is current then.
    #[default]
    ContinueAsNew,
    /// All runs of a chain stay on the release of the first.
    Never,
}

/// How a plugin's releases are handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReleasePolicy {
    /// What the replay gate decides.
    pub on_divergence: OnDivergence,
    /// When a chain of runs goes over.
    pub upgrade_on: UpgradeOn,
    /// Histories of open executions that the gate replays, for each workflow type. 0 to [`SAMPLE_MAX`].
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 1_000)]
    pub sample_open: u32,
    /// Histories of closed executions that the gate replays, for each workflow type. 0 to [`SAMPLE_MAX`].
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 1_000)]
    pub sample_closed: u32,
    /// Closed executions older than this are not sampled, in seconds.
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 315_360_000)]
    pub sample_age_seconds: u64,
    /// A release without open executions is kept this long after it took its last, in seconds.
    #[serde(deserialize_with = "crate::whole::number")]
    #[schema(maximum = 315_360_000)]
    pub retention_seconds: u64,
}

impl Default for ReleasePolicy {
    fn default() -> Self {
        Self {
            on_divergence: OnDivergence::default(),
            upgrade_on: UpgradeOn::default(),
            sample_open: 20,
            sample_closed: 20,
            sample_age_seconds: 7 * 86_400,
            retention_seconds: 7 * 86_400,
        }
    }
}

impl ReleasePolicy {
    /// Holds the numbers against their bounds.
    ///
    /// # Errors
    /// `policy-invalid`, naming the field.
    pub fn check(&self) -> Result<()> {
        let refused = |field: &str, value: u64, most: u64| {
            Err(Error::new(
                Code::PolicyInvalid,
                format!("{field} cannot be {value}: use 0 to {most}"),
            ))
        };
        for (field, value) in [
            ("sample_open", self.sample_open),
            ("sample_closed", self.sample_closed),
        ] {
            if value > SAMPLE_MAX {
                return refused(field, value.into(), SAMPLE_MAX.into());
            }
        }
        for (field, value) in [
            ("sample_age_seconds", self.sample_age_seconds),
            ("retention_seconds", self.retention_seconds),
        ] {
            if value > RETENTION_SECONDS_MAX {
                return refused(field, value, RETENTION_SECONDS_MAX);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_refused() {
        let policy = ReleasePolicy::default;
        assert!(policy().check().is_ok());
        let refused = [
            ReleasePolicy {
                sample_open: SAMPLE_MAX + 1,
                ..policy()
            },
            ReleasePolicy {
                retention_seconds: RETENTION_SECONDS_MAX + 1,
                ..policy()
            },
        ];
        for policy in refused {
            let code = policy.check().map_err(|error| error.code());
            assert_eq!(code, Err(Code::PolicyInvalid), "{policy:?}");
        }
    }
}
