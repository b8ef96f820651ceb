//! One plugin of one tenant: what may be chosen for new executions when, and the changes that are made to it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tenterhook_tests::host::Fleet;

use super::{chance::Chance, variant::variant};

/// Every host is on the new state so soon after a change was answered.
const HEARD_WITHIN: Duration = Duration::from_secs(1);
/// How long the checks of a release may take: a host that dies with a claim holds others off until it runs out.
const CHECKED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Variants of a plugin that are uploaded, over and over and to every tenant.
const VARIANTS: u64 = 8;

/// A time in which new executions may have started on a release.
struct Window {
    digest: String,
    from: Instant,
    until: Option<Instant>,
}

#[derive(Default)]
struct Known {
    windows: Vec<Window>,
    /// By digest: the result of its executions. All of them passed their checks.
    results: HashMap<String, Value>,
}

pub(crate) struct Line {
    fleet: Fleet,
    pub(crate) scope: String,
    pub(crate) plugin: &'static str,
    known: Mutex<Known>,
}

impl Line {
    pub(crate) fn new(fleet: &Fleet, tenant: &str, plugin: &'static str) -> Self {
        Self {
            fleet: fleet.clone(),
            scope: format!("/v1/tenants/{tenant}/environments/production"),
            plugin,
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, rest: &str) -> String {
        format!("{}/plugins/{}/{rest}", self.scope, self.plugin)
    }

    /// The result that executions on `digest` have.
    pub(crate) fn result(&self, digest: &str) -> Option<Value> {
        self.known().results.get(digest).cloned()
    }

    /// True if an execution that chose between `from` and `until` may have chosen `digest`.
    pub(crate) fn may_have_chosen(&self, digest: &str, from: Instant, until: Instant) -> bool {
        self.known().windows.iter().any(|window| {
            window.digest == digest
                && window.from <= until
                && window.until.is_none_or(|end| end + HEARD_WITHIN >= from)
        })
    }

    async fn now(&self) -> anyhow::Result<Value> {
        let path = self.path("rollout");
        self.fleet.call(Method::GET, &path, None).await?.ok()
    }

    /// Uploads a variant and waits for its checks. The first one of a line becomes current by itself.
    pub(crate) async fn upload(&self, chance: &mut Chance) -> anyhow::Result<()> {
        let number = u32::try_from(chance.below(VARIANTS))?;
        let variant = variant(self.plugin, number);
        let digest = tenterhook_domain::Digest::of(&variant.component).to_string();
        {
            let mut known = self.known();
            if known.windows.is_empty() {
                open(&mut known, &digest);
            }
            known.results.insert(digest.clone(), variant.result);
        }
        let path = self.path("releases");
        let sent = self.fleet.ask(|api| {
            let (path, component) = (&path, variant.component.clone());
            async move { api.upload(path, component).await }
        });
        let release = sent.await?.ok()?;
        anyhow::ensure!(release["digest"] == json!(digest), "{release:#}");
        self.until_checked(&digest).await
    }

    async fn until_checked(&self, digest: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + CHECKED_WITHIN;
        let path = self.path(&format!("releases/{digest}"));
        loop {
            let release = self.fleet.call(Method::GET, &path, None).await?.ok()?;
            match release["state"].as_str().unwrap_or_default() {
                "uploaded" | "checked" => {}
                "refused" => anyhow::bail!("a sound release is refused: {release:#}"),
                _ => return Ok(()),
            }
            anyhow::ensure!(Instant::now() < deadline, "not checked: {release:#}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Makes another release current at once.
    pub(crate) async fn promote(&self, chance: &mut Chance) -> anyhow::Result<()> {
        let digest = self.some_release(chance);
        let body = json!({ "digest": digest });
        self.change(&[&digest], Method::PUT, "current", Some(&body))
            .await
    }

    /// Gives another release half of the new executions.
    pub(crate) async fn ramp(&self, chance: &mut Chance) -> anyhow::Result<()> {
        let digest = self.some_release(chance);
        let body = json!({ "digest": digest, "steps": [{ "percentage": 50 }] });
        self.change(&[&digest], Method::PUT, "rollout", Some(&body))
            .await
    }

    /// Stops the ramp, or goes back to the release before.
    pub(crate) async fn roll_back(&self) -> anyhow::Result<()> {
        let before = self.now().await?;
        // Tried twice, for its first answer may be lost, it goes there and back.
        let may_come: Vec<&str> = ["current", "previous"]
            .iter()
            .filter_map(|key| before[key].as_str())
            .collect();
        self.change(&may_come, Method::POST, "rollback", None).await
    }

    /// Makes a change. One that the line does not allow is refused with a conflict, and is a change all the same.
    async fn change(
        &self,
        may_come: &[&str],
        method: Method,
        what: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<()> {
        {
            let mut known = self.known();
            for digest in may_come {
                open(&mut known, digest);
            }
        }
        let answer = self.fleet.call(method, &self.path(what), body).await?;
        if answer.code() != Some("release-state-conflict") {
            answer.ok()?;
        }
        let now = self.now().await?;
        let stopped = !now["rollout"]["halted"].is_null();
        let ramping = now["rollout"]["plan"]["digest"].as_str();
        let chosen = [now["current"].as_str(), ramping.filter(|_| !stopped)];
        for window in &mut self.known().windows {
            if window.until.is_none() && !chosen.contains(&Some(window.digest.as_str())) {
                window.until = Some(Instant::now());
            }
        }
        Ok(())
    }

    fn some_release(&self, chance: &mut Chance) -> String {
        let known = self.known();
        let mut digests: Vec<&String> = known.results.keys().collect();
        // A seed must lead to the same choice again.
        digests.sort();
        let at = usize::try_from(chance.below(digests.len() as u64)).unwrap_or_default();
        digests[at].clone()
    }
}

fn open(known: &mut Known, digest: &str) {
    let is_open = |window: &&Window| window.until.is_none() && window.digest == digest;
    if known.windows.iter().find(is_open).is_none() {
        known.windows.push(Window {
            digest: digest.to_owned(),
            from: Instant::now(),
            until: None,
        });
    }
}
