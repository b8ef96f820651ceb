//! Many hosts behind one client, which is what a load balancer makes of them.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{anyhow, bail};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{Answer, Api, LOOK_AGAIN};

/// How long a request may go from host to host.
const PATIENCE: Duration = Duration::from_secs(60);

/// The hosts that have an API. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    hosts: watch::Sender<Vec<Api>>,
    next: Arc<AtomicUsize>,
    retries: Arc<AtomicUsize>,
}

impl Fleet {
    /// Host number `index` answers as `api` from now on, as after a restart; the next new one has the next number.
    pub fn set(&self, index: usize, api: Api) {
        self.hosts.send_modify(|hosts| {
            if index < hosts.len() {
                hosts[index] = api;
            } else {
                hosts.push(api);
            }
        });
    }

    /// Asks one host after the other until one answers. What is tried again: a request that got no answer, for its
    /// host was dead or died, and one that was answered 503, for its host stops. Nothing else.
    ///
    /// # Errors
    /// When no host answers for a minute, or one that lives says nothing for longer than its client waits.
    pub async fn ask<F>(&self, send: impl Fn(Api) -> F) -> anyhow::Result<Answer>
    where
        F: Future<Output = anyhow::Result<Answer>>,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let api = self.turn();
            let gone = self.replaced(api.address().to_owned());
            let sent = tokio::select! {
                sent = send(api) => sent,
                () = gone => Err(anyhow!("the host died")),
            };
            let why = match sent {
                Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => {
                    return Ok(answer);
                }
                Ok(answer) => answer.body.to_string(),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > deadline {
                bail!("no host answers within {PATIENCE:?}: {why}");
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            sleep(LOOK_AGAIN).await;
        }
    }

    /// The same for a request with a JSON body, if any.
    ///
    /// # Errors
    /// As [`Fleet::ask`].
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answer> {
        self.ask(|api| {
            let method = method.clone();
            async move { api.call(method, path, body).await }
        })
        .await
    }

    /// Requests that were tried again.
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }

    /// Resolves once no host answers at `address` any more. A client that sends in the very moment in which its
    /// connection ends may never hear of that: its request then lies in the connection's queue, and the client holds that
    /// queue until it is answered.
    async fn replaced(&self, address: String) {
        let mut hosts = self.hosts.subscribe();
        let is_there = |hosts: &Vec<Api>| hosts.iter().any(|api| api.address() == address);
        // The sender is ours, so it is there.
        let _ = hosts.wait_for(|hosts| !is_there(hosts)).await;
    }

    fn turn(&self) -> Api {
        let hosts = self.hosts.borrow();
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        hosts[turn % hosts.len()].clone()
    }
}
