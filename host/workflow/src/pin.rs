//! The markers in a history that say which release runs the execution: where it began, and where it moved.
//!
//! Each is an ordinary patch marker, so that Core reports it ahead on replay, in the activation whose commands it
//! stands among, and the server lists it in `TemporalChangeVersion`. That list has no order, and Core writes no id
//! twice: so a pin after a move says the how manieth it is, and a run may go back to where it was. The guest neither
//! sees nor makes markers with this prefix.

use std::fmt;

use temporalio_protos::coresdk::{
    workflow_activation::{WorkflowActivation, workflow_activation_job::Variant as Job},
    workflow_commands::{SetPatchMarker, WorkflowCommand, workflow_command::Variant as Command},
};
use tenterhook_domain::Digest;

/// Most times that one run moves to another release. Temporal takes 2 KiB of a run's patches into its list, and a
/// guest's own want room too.
pub const MOVES_MAX: u8 = 9;

const PREFIX: &str = "tenterhook:release";

/// What a history says of the release that runs it from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleasePin {
    /// How many times the run had moved when it came here: 0 where it began, to [`MOVES_MAX`].
    pub moves: u8,
    /// The release.
    pub digest: Digest,
}

/// As the patch id: `tenterhook:release@sha256:…` where the run began, `tenterhook:release+1@sha256:…` after its
/// first move.
impl fmt::Display for ReleasePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moves {
            0 => write!(f, "{PREFIX}@{}", self.digest),
            moves => write!(f, "{PREFIX}+{moves}@{}", self.digest),
        }
    }
}

impl ReleasePin {
    /// The pin of a run that begins on `digest`.
    pub fn first(digest: Digest) -> Self {
        Self { moves: 0, digest }
    }

    /// The pin after a move to `digest`; none if the run has moved as often as it may.
    pub fn then(self, digest: Digest) -> Option<Self> {
        let moves = self.moves + 1;
        (moves <= MOVES_MAX).then_some(Self { moves, digest })
    }

    /// The pin that a patch id is, if it is one.
    pub fn of_patch(id: &str) -> Option<Self> {
        let (moves, digest) = id.strip_prefix(PREFIX)?.split_once('@')?;
        let moves = match moves.strip_prefix('+') {
            None if moves.is_empty() => 0,
            None => return None,
            Some(number) => number
                .parse()
                .ok()
                .filter(|moves| (1..=MOVES_MAX).contains(moves))?,
        };
        let digest = digest.parse().ok()?;
        Some(Self { moves, digest }).filter(|pin| pin.to_string() == id)
    }

    /// The last one of the pins among the patch ids `ids`, in whatever order they come.
    pub fn latest<'a>(ids: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let pins = ids.into_iter().filter_map(Self::of_patch);
        pins.max_by_key(|pin| pin.moves)
    }

    /// Every pin that names `digest`: what a list of executions that ran on it is asked for.
    pub fn all_of(digest: Digest) -> impl Iterator<Item = Self> {
        (0..=MOVES_MAX).map(move |moves| Self { moves, digest })
    }
}

/// The pins that `activation` announces, for the history that is replayed has them among the commands to come.
pub(crate) fn announced(activation: &WorkflowActivation) -> impl Iterator<Item = ReleasePin> {
    activation.jobs.iter().filter_map(|job| match &job.variant {
        Some(Job::NotifyHasPatch(patch)) => ReleasePin::of_patch(&patch.patch_id),
        _ => None,
    })
}

/// The release that `activation` says the run is pinned to, as far as the history being replayed is looked at.
pub fn announced_pin(activation: &WorkflowActivation) -> Option<ReleasePin> {
    announced(activation).max_by_key(|pin| pin.moves)
}

/// The command that writes `pin`.
pub(crate) fn marker(pin: ReleasePin) -> WorkflowCommand {
    Command::SetPatchMarker(SetPatchMarker {
        patch_id: pin.to_string(),
        deprecated: false,
    })
    .into()
}
