//! Follows the keys that sign contexts while the host runs, so that a rotation needs no restart.

use std::{sync::Arc, time::Duration};

use tenterhook_domain::{
    clock::{Clock as _, SystemClock},
    context::{ContextKeySet, ContextKeys},
};
use tenterhook_store::Store;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often a host looks for new keys, and whether another one signs.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps `keys` what the set in `store` says, which was `set` when it was last read, until `stop`. A host that is cut off
/// goes on with the set that it knows: also of that a new key signs when its time comes.
pub async fn follow_context_keys(
    store: Store,
    mut set: ContextKeySet,
    keys: Arc<ContextKeys>,
    stop: CancellationToken,
) {
    loop {
        let now = SystemClock.now_millis();
        if let Ok(read) = store.context_keys.load_or_create(now).await {
            set = read;
        }
        if keys.follow(set.at(now)) {
            tracing::info!(
                key = keys.signing_id(),
                "contexts are signed with another key"
            );
        }
        tokio::select! {
            () = sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}
