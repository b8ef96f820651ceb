//! Runs that this host lets go of, so that their next task builds them from their history and may move them.

use std::sync::Arc;

use tenterhook_domain::{PluginName, Result, Scope};
use tenterhook_store::{Change, ChangeListener};
use tenterhook_workflow::{Pin, ReleasePin, Run};

use super::Shared;

/// What is asked of a run after its activation.
pub(super) struct Standing {
    plugin: (Scope, PluginName),
    release: ReleasePin,
    /// Its task failed, and its instance is gone.
    dead: bool,
    waits_locally: bool,
    /// It moves, and its history does not say so yet.
    unsaid: bool,
}

impl Standing {
    pub(super) fn of(run: &Run) -> Self {
        let identity = run.identity();
        Self {
            plugin: (identity.scope.clone(), identity.plugin.clone()),
            release: identity.release(),
            dead: run.is_dead(),
            waits_locally: run.waits_locally(),
            unsaid: identity.pin == Pin::Unwritten && identity.moves > 0,
        }
    }

    /// True if the run is to be let go of once its completion is sent. Ask after the run was put back: what changes
    /// later finds it there.
    pub(super) fn leaves(&self, shared: &Shared, run_id: &str) -> bool {
        let may = !self.dead && !self.waits_locally;
        may && (self.unsaid || shared.moves.wants(&self.plugin, self.release, run_id))
    }

    /// A run that fails where it moves, or is held on a release that its history has left, is remembered: its next
    /// attempt stays where it was, or looks where it is.
    pub(super) fn note_failure(
        &self,
        shared: &Shared,
        run_id: &str,
        announced: Option<ReleasePin>,
    ) {
        if !self.dead {
            return;
        }
        if self.unsaid {
            shared.moves.stay(run_id, self.release.digest, true);
        }
        if announced.is_some_and(|announced| announced.moves > self.release.moves) {
            shared.moves.has_moved(run_id);
        }
    }
}

/// Lets go of idle runs whenever a change of their plugin makes them want to move.
pub(super) async fn follow(shared: Arc<Shared>, mut changes: ChangeListener) {
    while let Some(change) = changes.next().await {
        let plugins = match change {
            Change::Plugin(scope, plugin) => vec![(scope, plugin)],
            Change::Missed => shared.runs.plugins(),
        };
        for plugin in plugins {
            if let Err(error) = let_go(&shared, &plugin).await {
                tracing::warn!(
                    code = %error.code(), cause = error.source_text(), scope = %plugin.0, plugin = %plugin.1,
                    "idle runs stay until their next task, though they may want to move: {error}"
                );
            }
        }
    }
}

async fn let_go(shared: &Shared, plugin: &(Scope, PluginName)) -> Result<()> {
    let mut runs = shared.runs.of(plugin);
    if runs.is_empty() {
        return Ok(());
    }
    // Read, so that it is remembered when each run is asked.
    let terms = shared.resolver.terms(&plugin.0, &plugin.1).await?;
    runs.retain(|(run_id, release)| shared.moves.wants(plugin, *release, run_id));
    let (Some(current), false) = (terms.line.current, runs.is_empty()) else {
        return Ok(());
    };
    // Compiled here before the first of their tasks has little time for it.
    let resolver = &shared.resolver;
    resolver.load(&plugin.0, &plugin.1, current).await?;
    for (run_id, _) in &runs {
        shared.core.request_workflow_eviction(run_id);
    }
    tracing::info!(
        scope = %plugin.0, plugin = %plugin.1, runs = runs.len(),
        "idle runs are let go of: their next tasks may move them"
    );
    Ok(())
}
