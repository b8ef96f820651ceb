//! What is left lying about: components without a release, compiled code without one, releases without a component.

use std::{sync::Arc, time::Duration};

use tenterhook_domain::{
    Code, Result,
    clock::{Clock, millis},
    component::CompiledCode,
    release::ReleaseState,
};
use tenterhook_store::{ChangeListener, Cursor, PAGE_ITEMS_MAX, ReleaseKey, Store};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

/// How often compiled code is gone through, if anything changed.
const ROUND: Duration = Duration::from_secs(2);
/// Rounds from one look at all components to the next: ten minutes.
const ROUNDS_OF_ALL: u64 = 300;
/// A component without a release is left alone so long: its row may be on its way.
pub const ORPHAN_AGE: Duration = Duration::from_secs(3_600);

/// Removes what nobody needs, and tells of what somebody needs and is not there.
pub struct Sweep {
    store: Store,
    compiled: Arc<dyn CompiledCode>,
    clock: Arc<dyn Clock>,
    missing: watch::Sender<Vec<ReleaseKey>>,
}

impl Sweep {
    /// Sweeps the store, and this host's `compiled` code.
    pub fn new(store: Store, compiled: Arc<dyn CompiledCode>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            compiled,
            clock,
            missing: watch::Sender::default(),
        }
    }

    /// Releases whose component was missing when all were looked at last.
    pub fn missing(&self) -> watch::Receiver<Vec<ReleaseKey>> {
        self.missing.subscribe()
    }

    /// Works until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let rounds = async {
            let mut changes = self.store.changes.subscribe();
            for round in 0_u64.. {
                let all = round % ROUNDS_OF_ALL == 0;
                let changed = has_changed(&mut changes);
                if let Err(error) = self.round(all, changed).await {
                    tracing::warn!(code = %error.code(), cause = error.source_text(), "a sweep failed: {error}");
                }
                sleep(ROUND).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn round(&self, all: bool, changed: bool) -> Result<()> {
        if all {
            self.components().await?;
        }
        if all || changed {
            self.compiled_code().await?;
        }
        Ok(())
    }

    /// Looks at all components: those of no release go, those that are missing are told of.
    ///
    /// # Errors
    /// `store-failed`.
    pub async fn components(&self) -> Result<()> {
        let now = self.clock.now_millis();
        let mut after = None;
        loop {
            let cursor = Cursor {
                after: after.as_deref(),
                limit: PAGE_ITEMS_MAX,
            };
            let page = self.store.blobs.list(cursor).await?;
            for blob in page.items {
                let old = blob.stored_at.saturating_add(millis(ORPHAN_AGE)) <= now;
                if old && self.store.discard(&blob.digest).await? {
                    tracing::info!(digest = %blob.digest, "a component of no release was removed");
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        // Compiled of what was only looked at, or just after another host let go of it.
        let old = now.saturating_sub(millis(ORPHAN_AGE));
        for digest in self.store.compiled.put_before(old).await? {
            if self.store.discard(&digest).await? {
                tracing::info!(%digest, "compiled code of no release was removed");
            }
        }
        let mut missing = Vec::new();
        for &state in ReleaseState::ALL {
            if matches!(state, ReleaseState::Retired | ReleaseState::Refused) {
                continue;
            }
            let mut after = None;
            loop {
                let cursor = Cursor {
                    after: after.as_deref(),
                    limit: PAGE_ITEMS_MAX,
                };
                let page = self.store.releases.in_state(state, cursor).await?;
                for (key, _) in page.items {
                    if !self.store.blobs.contains(&key.digest).await? {
                        missing.push(key);
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for key in &missing {
            tracing::error!(
                code = %Code::ComponentMissing, scope = %key.scope, plugin = %key.plugin, digest = %key.digest,
                releases = missing.len(),
                "the component of a release is missing from the store: push the same bytes again"
            );
        }
        self.missing.send_replace(missing);
        Ok(())
    }

    /// Lets go of this host's compiled code of components that no release needs.
    ///
    /// # Errors
    /// `store-failed`.
    pub async fn compiled_code(&self) -> Result<()> {
        for digest in self.compiled.held() {
            if !self.store.releases.needs(&digest).await? {
                self.compiled.forget(&digest);
                tracing::info!(%digest, "compiled code of no release was removed");
            }
        }
        Ok(())
    }
}

/// True if a plugin changed since the last call.
fn has_changed(changes: &mut ChangeListener) -> bool {
    let mut changed = false;
    while changes.try_next().is_some() {
        changed = true;
    }
    changed
}
