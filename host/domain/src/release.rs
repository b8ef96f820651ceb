//! Releases of a plugin: what one is, and where it is in its life.

mod diff;

use serde::{Deserialize, Serialize};

use crate::{
    check::{Check, Progress},
    component::Metadata,
    digest::Digest,
    double_run::DoubleRunFinding,
    replay::ReplayReport,
};

pub use diff::{Changed, ReleaseDiff, TypesDiff};

macro_rules! states {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal -> [$($next:ident),*];)+) => {
        /// Where a release is in its life.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[serde(rename_all = "kebab-case")]
        pub enum ReleaseState { $($(#[doc = $doc])+ $name,)+ }

        impl ReleaseState {
            /// Every state there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word used in the API and the store.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The states that may follow.
            pub const fn next(self) -> &'static [Self] {
                match self { $(Self::$name => &[$(Self::$next,)*],)+ }
            }
        }
    };
}

states! {
    /// Its bytes are stored; nobody looked at them yet.
    Uploaded = "uploaded" -> [Checked, Refused];
    /// The component itself passed; its replays are looked at.
    Checked = "checked" -> [Ready, Refused];
    /// It may take executions, and takes none.
    Ready = "ready" -> [Ramping, Current, Retired];
    /// A share of the new executions starts on it.
    Ramping = "ramping" -> [Ready, Current, Draining];
    /// New executions start on it.
    Current = "current" -> [Draining];
    /// It takes no new executions; those that are pinned to it go on.
    Draining = "draining" -> [Ramping, Current, Retired];
    /// Nothing runs on it any more, and its component is gone.
    Retired = "retired" -> [Uploaded];
    /// A check failed: it never takes executions. Its report says why.
    Refused = "refused" -> [Uploaded];
}

impl ReleaseState {
    /// True if executions may start on it, given that somebody chooses it.
    pub const fn may_take_traffic(self) -> bool {
        matches!(
            self,
            Self::Ready | Self::Ramping | Self::Current | Self::Draining
        )
    }

    /// True once all checks are over.
    pub const fn is_checked(self) -> bool {
        !matches!(self, Self::Uploaded | Self::Checked)
    }
}

impl std::str::FromStr for ReleaseState {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| {
                crate::Error::new(
                    crate::Code::RequestInvalid,
                    format!("there is no release state {text:?}"),
                )
            })
    }
}

/// One uploaded component of a plugin, immutable but for what happens to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Release {
    /// Its name.
    pub digest: Digest,
    /// The version its metadata gives, as a label; none before it is checked.
    pub version: Option<String>,
    /// Where it is in its life.
    pub state: ReleaseState,
    /// Size of the component, in bytes.
    pub bytes: u64,
    /// When it was uploaded, milliseconds since the Unix epoch.
    pub uploaded_at: u64,
    /// Where its bytes came from: `upload`, or an OCI reference with its digest.
    #[serde(default = "upload")]
    pub origin: String,
    /// What it says of itself; empty before it is checked.
    pub metadata: Metadata,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How histories replayed on it; none before they did, or where there were no workflows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayReport>,
    /// How far its checks are, while they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// The first of its runs that came to other commands when it was repeated; none as long as none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double_run: Option<DoubleRunFinding>,
}

fn upload() -> String {
    "upload".to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for &state in ReleaseState::ALL {
            assert_eq!(state.as_str().parse::<ReleaseState>().unwrap(), state);
            assert_eq!(
                serde_json::to_value(state).unwrap(),
                serde_json::json!(state.as_str())
            );
        }
    }

    #[test]
    fn every_state_is_reached_and_none_follows_itself() {
        for &state in ReleaseState::ALL {
            assert!(!state.next().contains(&state), "{state:?}");
            assert!(
                state == ReleaseState::Uploaded
                    || ReleaseState::ALL
                        .iter()
                        .any(|before| before.next().contains(&state)),
                "{state:?}"
            );
        }
    }
}
