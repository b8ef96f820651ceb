//! The marker in a history that says which release runs the execution.
//!
//! It is an ordinary patch marker, so that Core reports it ahead on replay, in the activation that
//! initializes the workflow, and the server lists it in `TemporalChangeVersion`. The guest neither sees
//! nor makes markers with this prefix.

use temporalio_protos::coresdk::{
    workflow_activation::{WorkflowActivation, workflow_activation_job::Variant as Job},
    workflow_commands::{SetPatchMarker, WorkflowCommand, workflow_command::Variant as Command},
};
use tenterhook_domain::Digest;

/// What a release marker's patch id starts with; the release's digest follows.
pub const RELEASE_MARKER_PREFIX: &str = "tenterhook:release@";

/// The release that `activation` says the run is pinned to: a history being replayed has the marker.
pub fn pinned_digest(activation: &WorkflowActivation) -> Option<Digest> {
    activation.jobs.iter().find_map(|job| match &job.variant {
        Some(Job::NotifyHasPatch(patch)) => patch
            .patch_id
            .strip_prefix(RELEASE_MARKER_PREFIX)?
            .parse()
            .ok(),
        _ => None,
    })
}

/// The command that writes the marker.
pub(crate) fn marker(digest: Digest) -> WorkflowCommand {
    Command::SetPatchMarker(SetPatchMarker {
        patch_id: format!("{RELEASE_MARKER_PREFIX}{digest}"),
        deprecated: false,
    })
    .into()
}
