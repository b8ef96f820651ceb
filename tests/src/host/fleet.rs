//! Many hosts behind one client, which is what a load balancer makes of them.

use std::{
    future::Future,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{Answer, Api, LOOK_AGAIN};

/// How long a request may go from host to host.
const PATIENCE: Duration = Duration::from_secs(60);

/// The hosts that have an API. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    hosts: Arc<RwLock<Vec<Api>>>,
    next: Arc<AtomicUsize>,
    retries: Arc<AtomicUsize>,
}

impl Fleet {
    /// Host number `index` answers as `api` from now on, as after a restart; the next new one has the next number.
    pub fn set(&self, index: usize, api: Api) {
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if index < hosts.len() {
            hosts[index] = api;
        } else {
            hosts.push(api);
        }
    }

    /// Asks one host after the other until one answers. What is tried again: a request that got no answer, for its
    /// host was dead or died, and one that was answered 503, for its host stops. Nothing else.
    ///
    /// # Errors
    /// When no host answers for a minute.
    pub async fn ask<F>(&self, send: impl Fn(Api) -> F) -> anyhow::Result<Answer>
    where
        F: Future<Output = anyhow::Result<Answer>>,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let why = match send(self.turn()).await {
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
            tokio::time::sleep(LOOK_AGAIN).await;
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

    fn turn(&self) -> Api {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        hosts[turn % hosts.len()].clone()
    }
}
