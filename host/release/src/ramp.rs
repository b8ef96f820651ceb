//! Ramps under way: looked at by their guard, taken to their next step when it is time.
//!
//! Every host does the same; a move names the revision that it was decided on, so that one of them makes it.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use tenterhook_domain::{
    Code, Digest, PluginName, Result, Scope,
    audit::Author,
    clock::{Clock, millis},
    rollout::{Census, Comparison, Line, Move, Rollout},
};
use tenterhook_store::Store;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::guard::judge;

/// How often the ramps are gone through.
const ROUND: Duration = Duration::from_secs(1);
/// How often the executions of one ramp are counted, by whichever host.
const LOOK: Duration = Duration::from_secs(2);
/// Ramps that one host looks at side by side.
const RAMPS_AT_ONCE: usize = 8;
/// How long a task failure is of interest: longer than ramps take.
const TASK_FAILURES_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// Goes through the ramps of all plugins.
pub struct Ramps {
    store: Store,
    census: Arc<dyn Census>,
    clock: Arc<dyn Clock>,
    host: String,
}

impl Ramps {
    /// Counts by `census`, in the name of the host `host`.
    pub fn new(
        store: Store,
        census: Arc<dyn Census>,
        clock: Arc<dyn Clock>,
        host: impl Into<String>,
    ) -> Self {
        Self {
            store,
            census,
            clock,
            host: host.into(),
        }
    }

    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let rounds = async {
            loop {
                self.round().await;
                sleep(ROUND).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    /// Goes through them once. What fails is tried again with the next round.
    pub async fn round(&self) {
        let ramping = match self.store.lines.ramping().await {
            Ok(ramping) => ramping,
            Err(error) => {
                tracing::warn!(%error, cause = error.source_text(), "ramps cannot be looked at");
                return;
            }
        };
        stream::iter(ramping)
            .for_each_concurrent(RAMPS_AT_ONCE, async |(scope, plugin)| {
                match self.tend(&scope, &plugin).await {
                    // Another host was first, or an operator: what is so now is looked at with the next round.
                    Err(error) if error.code() == Code::PreconditionFailed => {}
                    Err(error) => tracing::warn!(
                        code = %error.code(), cause = error.source_text(), %scope, %plugin,
                        "a ramp cannot be looked at, and stays at its step: {error}"
                    ),
                    Ok(()) => {}
                }
            })
            .await;
    }

    async fn tend(&self, scope: &Scope, plugin: &PluginName) -> Result<()> {
        let (line, mut revision) = self.store.lines.line(scope, plugin).await?;
        let now = self.clock.now_millis();
        let Some((rollout, current)) = under_way(&line) else {
            return Ok(());
        };
        if rollout.plan.guard.enabled && is_due(rollout, now) {
            let seen = self.look(scope, plugin, rollout, &current, now).await?;
            let observe = Move::Observe(seen);
            revision = self
                .make(scope, plugin, observe, revision, String::new())
                .await?;
            if let Some(why) = judge(&rollout.plan.guard, &seen.new, &seen.current) {
                tracing::warn!(%scope, %plugin, digest = %rollout.plan.digest, "the guard stops a ramp: {why}");
                let halt = Move::Halt { why: why.clone() };
                self.make(scope, plugin, halt, revision, why).await?;
                return Ok(());
            }
        }
        if rollout.step_ends_at().is_some_and(|end| end <= now) {
            let why = "the step's bake time is over".to_owned();
            self.make(scope, plugin, Move::Advance, revision, why)
                .await?;
        }
        Ok(())
    }

    async fn look(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        rollout: &Rollout,
        current: &Digest,
        now: u64,
    ) -> Result<Comparison> {
        let since = rollout.began_at;
        let forgotten = now.saturating_sub(millis(TASK_FAILURES_KEPT)).min(since);
        self.store.task_failures.forget(forgotten).await?;
        let new = &rollout.plan.digest;
        Ok(Comparison {
            at: now,
            new: self.census.health(scope, plugin, new, since).await?,
            current: self.census.health(scope, plugin, current, since).await?,
        })
    }

    async fn make(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        r#move: Move,
        revision: u64,
        why: String,
    ) -> Result<u64> {
        let who = match r#move {
            Move::Advance => "host:ramp",
            _ => "host:guard",
        };
        let author = Author {
            who: who.to_owned(),
            from: self.host.clone(),
            why,
        };
        let now = self.clock.now_millis();
        let lines = &self.store.lines;
        let moved = lines.apply(scope, plugin, r#move, Some(revision), &author, now);
        moved.await.map(|(_, revision)| revision)
    }
}

/// The ramp that sends work to its release, or that is paused, and the release beside it.
fn under_way(line: &Line) -> Option<(&Rollout, Digest)> {
    let rollout = line.rollout.as_ref()?;
    rollout.halted.is_none().then_some((rollout, line.current?))
}

/// True unless some host just looked.
fn is_due(rollout: &Rollout, now: u64) -> bool {
    rollout
        .seen
        .is_none_or(|seen| seen.at.saturating_add(millis(LOOK)) <= now)
}
