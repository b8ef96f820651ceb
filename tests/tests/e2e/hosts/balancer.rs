//! What stands before many hosts: it looks at `/readyz` of each now and then, sends each request to one that was ready
//! at the last look, once, and never tries again.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tenterhook_tests::host::{Api, Host};
use tokio::task::JoinHandle;

/// Between two looks at a host; well below the notice that a host gives before it stops.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A host as the balancer knows it.
struct Behind {
    api: Api,
    ready: bool,
}

#[derive(Clone)]
pub(super) struct Balancer {
    behind: Arc<RwLock<Vec<Behind>>>,
    next: Arc<AtomicUsize>,
}

impl Balancer {
    pub(super) fn before(hosts: &[Host]) -> (Self, JoinHandle<()>) {
        let behind = hosts.iter().map(|host| Behind {
            api: host.api.clone(),
            ready: true,
        });
        let balancer = Self {
            behind: Arc::new(RwLock::new(behind.collect())),
            next: Arc::default(),
        };
        let looking = tokio::spawn(balancer.clone().look());
        (balancer, looking)
    }

    /// A host came back, elsewhere.
    pub(super) fn moved(&self, index: usize, api: Api) {
        let mut behind = self.behind.write().unwrap_or_else(PoisonError::into_inner);
        behind[index] = Behind { api, ready: false };
    }

    /// The host of the next request.
    pub(super) fn turn(&self) -> Api {
        let behind = self.behind.read().unwrap_or_else(PoisonError::into_inner);
        let ready: Vec<&Behind> = behind.iter().filter(|host| host.ready).collect();
        assert!(!ready.is_empty(), "no host is ready");
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        ready[turn % ready.len()].api.clone()
    }

    /// True if host `index` takes requests.
    pub(super) fn sends_to(&self, index: usize) -> bool {
        self.behind.read().unwrap_or_else(PoisonError::into_inner)[index].ready
    }

    async fn look(self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let hosts: Vec<Api> = {
                let behind = self.behind.read().unwrap_or_else(PoisonError::into_inner);
                behind.iter().map(|host| host.api.clone()).collect()
            };
            for (index, api) in hosts.into_iter().enumerate() {
                let answer = api.get("/readyz").await;
                let ready = answer.is_ok_and(|answer| answer.status.is_success());
                let mut behind = self.behind.write().unwrap_or_else(PoisonError::into_inner);
                // One that moved meanwhile is looked at the next time.
                if behind[index].api.address() == api.address() {
                    behind[index].ready = ready;
                }
            }
        }
    }
}
