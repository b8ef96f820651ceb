//! Releases that nothing runs on any more: retired, and their components removed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tenterhook_domain::{
    Code, Result,
    audit::Author,
    clock::{Clock, millis},
    release::ReleaseState,
    rollout::{Census, Line, Move},
};
use tenterhook_store::{Cursor, PAGE_ITEMS_MAX, ReleaseKey, Store};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often draining releases are gone through.
const ROUND: Duration = Duration::from_secs(5);
/// Two counts of zero lie so far apart: what was started before the first is counted by the second, for visibility
/// lags less.
pub const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Goes through the draining releases of all plugins.
pub struct Retirement {
    store: Store,
    census: Arc<dyn Census>,
    clock: Arc<dyn Clock>,
    host: String,
    /// Releases that had no open executions, with the time of the first such count.
    empty: Mutex<HashMap<ReleaseKey, u64>>,
}

impl Retirement {
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
            empty: Mutex::default(),
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
        if let Err(error) = self.look_at_all().await {
            tracing::warn!(
                code = %error.code(), cause = error.source_text(),
                "draining releases cannot be looked at: {error}"
            );
        }
    }

    async fn look_at_all(&self) -> Result<()> {
        let mut empty = HashMap::new();
        let mut after = None;
        loop {
            let cursor = Cursor {
                after: after.as_deref(),
                limit: PAGE_ITEMS_MAX,
            };
            let releases = &self.store.releases;
            let page = releases.in_state(ReleaseState::Draining, cursor).await?;
            for (key, since) in page.items {
                match self.look_at(&key, since).await {
                    Ok(Some(first)) => drop(empty.insert(key, first)),
                    Ok(None) => {}
                    // Another host was first, or it takes executions again.
                    Err(error) if is_overtaken(error.code()) => {}
                    Err(error) => tracing::warn!(
                        code = %error.code(), cause = error.source_text(), scope = %key.scope,
                        plugin = %key.plugin, digest = %key.digest, "a release cannot be retired now: {error}"
                    ),
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        *self.empty.lock().unwrap_or_else(PoisonError::into_inner) = empty;
        Ok(())
    }

    fn first_empty(&self, key: &ReleaseKey) -> Option<u64> {
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        empty.get(key).copied()
    }

    /// Retires a release that had no open executions twice. Answers when it had none first, while that is once.
    async fn look_at(&self, key: &ReleaseKey, since: u64) -> Result<Option<u64>> {
        let snapshot = self.store.plugins.snapshot(&key.scope, &key.plugin).await?;
        let retention = snapshot.policy.retention_seconds.saturating_mul(1_000);
        let now = self.clock.now_millis();
        if since.saturating_add(retention) > now || is_named(&snapshot.line, key) {
            return Ok(None);
        }
        // Read before the count: whatever is decided meanwhile is not overrun.
        let (line, revision) = self.store.lines.line(&key.scope, &key.plugin).await?;
        if is_named(&line, key) {
            return Ok(None);
        }
        let census = &self.census;
        let open = census.open(&key.scope, &key.plugin, &key.digest).await?;
        if open > 0 {
            return Ok(None);
        }
        let first = self.first_empty(key).unwrap_or(now);
        if first.saturating_add(millis(SECOND_LOOK)) > now {
            return Ok(Some(first));
        }
        let author = Author {
            who: "host:retire".to_owned(),
            from: self.host.clone(),
            why: "no open execution is pinned to it, and its retention is over".to_owned(),
        };
        let (lines, retire) = (&self.store.lines, Move::Retire(key.digest));
        lines
            .apply(
                &key.scope,
                &key.plugin,
                retire,
                Some(revision),
                &author,
                now,
            )
            .await?;
        tracing::info!(scope = %key.scope, plugin = %key.plugin, digest = %key.digest, "a release was retired");
        self.store.discard(&key.digest).await?;
        Ok(None)
    }
}

/// True if new executions may come to it by one call: it is current, ramps, or is where a rollback goes.
fn is_named(line: &Line, key: &ReleaseKey) -> bool {
    let ramping = line
        .rollout
        .as_ref()
        .filter(|rollout| rollout.halted.is_none());
    [
        line.current,
        line.previous,
        ramping.map(|rollout| rollout.plan.digest),
    ]
    .contains(&Some(key.digest))
}

fn is_overtaken(code: Code) -> bool {
    matches!(code, Code::PreconditionFailed | Code::ReleaseStateConflict)
}
