//! Runs that took another way on replay than their histories say.
//!
//! Core finds them and fails their tasks itself, in words that name neither the release nor what its code did, and gives
//! a host no way to put in its own. So the whole of it is told here: the history is replayed once more beside the
//! comparison of the replay gate.

use std::sync::Arc;

use tenterhook_domain::{Code, Scope};
use tenterhook_workflow::RunIdentity;

use super::Shared;

/// Tells of `run`, which Core let go of with the words `said`, at what event it parted from its history and how.
pub(super) fn tell(shared: &Arc<Shared>, run: &RunIdentity, said: String) {
    if !shared.moves.parts(&run.run_id) {
        return;
    }
    let (of_shared, run) = (shared.clone(), run.clone());
    let tell = async move {
        let how = match of_shared.moves.diagnose(&run).await {
            // Where it parts only when it is not replayed alone, or the history cannot be had, Core's words are all.
            Ok(verdict) => verdict.difference().unwrap_or(said),
            Err(error) => format!("{said} ({error})"),
        };
        let RunIdentity {
            scope,
            plugin,
            digest,
            run_id,
            temporal_id,
            ..
        } = &run;
        let workflow = Scope::of_temporal_id(temporal_id).map_or(&**temporal_id, |(_, id)| id);
        tracing::warn!(
            code = %Code::NonDeterministic, %scope, %plugin, %digest, workflow, run = run_id,
            "a replayed execution took another way than its history: {how}"
        );
    };
    shared.tasks.spawn_on(tell, &shared.runtime);
}
