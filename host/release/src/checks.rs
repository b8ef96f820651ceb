//! Checks of uploaded releases, outside of any request, bounded in number.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tenterhook_domain::{
    Code, Error, Result,
    audit::Author,
    check::{CHECKS, Check, Progress, Severity},
    clock::{Clock, millis},
    component::{Inspection, InspectionContext, Inspector},
    replay::ReplayGate,
    tally::Tally,
    trust::Signatures,
};
use tenterhook_store::{Checked, Findings, ReleaseKey, Store};
use tokio::{sync::Semaphore, task::spawn_blocking, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Releases that one host checks at once.
pub const CHECKS_MAX: usize = 2;
/// How long a claim lasts without a sign of life; a release of a host that died is taken up after that.
pub const CLAIM: Duration = Duration::from_secs(15);
/// How often a claim is renewed.
const RENEW: Duration = Duration::from_secs(3);
/// How often the store is asked when nothing was announced: a host that died announces nothing.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Takes up releases that wait for their checks.
pub struct Checks {
    store: Store,
    inspector: Arc<dyn Inspector>,
    gate: Option<Arc<dyn ReplayGate>>,
    signatures: Arc<dyn Signatures>,
    clock: Arc<dyn Clock>,
    tally: Arc<dyn Tally>,
    host: String,
}

impl Checks {
    /// Checks by `signatures`, `inspector` and, where there is one, `gate`, in the name of the host `host`; `tally` counts
    /// what they refuse.
    pub fn new(
        store: Store,
        inspector: Arc<dyn Inspector>,
        gate: Option<Arc<dyn ReplayGate>>,
        signatures: Arc<dyn Signatures>,
        clock: Arc<dyn Clock>,
        tally: Arc<dyn Tally>,
        host: impl Into<String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            inspector,
            gate,
            signatures,
            clock,
            tally,
            host: host.into(),
        })
    }

    /// Works until `stop`. What is under way then is left to whoever claims it next.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let turns = Arc::new(Semaphore::new(CHECKS_MAX));
        let tasks = TaskTracker::new();
        let rounds = async {
            let mut changes = self.store.changes.subscribe();
            loop {
                let Ok(turn) = turns.clone().acquire_owned().await else {
                    return;
                };
                match self.claim().await {
                    Ok(Some(key)) => {
                        let this = self.clone();
                        tasks.spawn(async move {
                            let _turn = turn;
                            this.check(key).await;
                        });
                        continue;
                    }
                    Ok(None) => {}
                    Err(error) => {
                        tracing::warn!(code = %error.code(), cause = error.source_text(), "no release can be claimed: {error}");
                    }
                }
                drop(turn);
                tokio::select! {
                    _ = changes.next() => {}
                    () = sleep(LOOK_AGAIN) => {}
                }
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn claim(&self) -> Result<Option<ReleaseKey>> {
        let now = self.clock.now_millis();
        let releases = &self.store.releases;
        releases.claim(&self.host, now + millis(CLAIM), now).await
    }

    async fn check(&self, key: ReleaseKey) {
        let now = Mutex::new(CHECKS[0]);
        let checked = tokio::select! {
            checked = self.look_at(&key, &now) => checked,
            () = self.hold(&key, &now) => return,
        };
        if let Err(error) = checked {
            // The claim runs out and the release is checked again, here or elsewhere.
            tracing::error!(
                code = %error.code(), cause = error.source_text(), scope = %key.scope, plugin = %key.plugin,
                digest = %key.digest, "a release could not be checked: {error}"
            );
        }
    }

    /// Renews the claim and shows the progress until the claim is lost.
    async fn hold(&self, key: &ReleaseKey, now: &Mutex<&'static str>) {
        loop {
            let name = *now.lock().unwrap_or_else(PoisonError::into_inner);
            let until = self.clock.now_millis() + millis(CLAIM);
            let releases = &self.store.releases;
            match releases
                .report(key, &self.host, &progress(name), until)
                .await
            {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, "a claim could not be renewed"),
            }
            sleep(RENEW).await;
        }
    }

    async fn look_at(&self, key: &ReleaseKey, now: &Mutex<&'static str>) -> Result<()> {
        let watch = |name: &'static str| *now.lock().unwrap_or_else(PoisonError::into_inner) = name;
        let component = self.store.blobs.get(&key.digest).await?;
        // First of all, for what nobody answers for is not even compiled.
        let signature = self.signature(key, component.clone()).await?;
        if let Some(refused) = signature.iter().find(|check| is_refusal(check)) {
            let findings = Findings {
                checks: vec![refused.clone()],
                ..Findings::default()
            };
            return self.conclude(key, &findings, Checked::Refused).await;
        }
        let snapshot = self.store.plugins.snapshot(&key.scope, &key.plugin).await?;
        let current = self.store.releases.current(&key.scope, &key.plugin).await?;
        let context = InspectionContext {
            plugin: &key.plugin,
            grants: &snapshot.bounded_grants(),
            current: current.as_ref().map(|release| &release.metadata),
        };
        let inspection = self.inspector.inspect(context, component, &watch).await?;
        let mut findings = findings_of(signature, &inspection);
        if inspection.refusal().is_some() {
            return self.conclude(key, &findings, Checked::Refused).await;
        }
        self.conclude(key, &findings, Checked::Component).await?;
        if let Some(gate) = &self.gate {
            watch("replay");
            let snapshot = self.store.plugins.snapshot(&key.scope, &key.plugin).await?;
            let policy = snapshot.policy;
            let report = gate
                .replay(
                    &key.scope,
                    &key.plugin,
                    key.digest,
                    &findings.metadata,
                    &policy,
                )
                .await?;
            findings.checks.push(replay_check(&report, &policy));
            findings.replay = Some(report);
        }
        let refused = findings.checks.iter().any(is_refusal);
        let checked = if refused {
            Checked::Refused
        } else {
            Checked::Passed
        };
        self.conclude(key, &findings, checked).await
    }

    /// Holds the signature that came with the release against the tenant's policy of now.
    async fn signature(&self, key: &ReleaseKey, component: Bytes) -> Result<Option<Check>> {
        let policy = self.store.tenants.trust(&key.scope.tenant).await?;
        let signature = self.store.releases.signature(key).await?;
        let signatures = self.signatures.clone();
        // Hashing megabytes holds up a thread, and this one has others' work.
        let judged = move || policy.judge(&component, signature.as_deref(), signatures.as_ref());
        spawn_blocking(judged).await.map_err(|error| {
            Error::new(Code::Internal, "a signature was not looked at to the end").caused_by(error)
        })
    }

    async fn conclude(
        &self,
        key: &ReleaseKey,
        findings: &Findings,
        checked: Checked,
    ) -> Result<()> {
        let refusal = findings.checks.iter().find(|check| is_refusal(check));
        let why = refusal.map_or_else(String::new, |check| check.detail.clone());
        let author = Author {
            who: "host:checks".to_owned(),
            from: self.host.clone(),
            why,
        };
        let now = self.clock.now_millis();
        let release = self
            .store
            .releases
            .conclude(key, &self.host, findings, checked, &author, now)
            .await?;
        if let Some(code) = refusal.and_then(|check| Code::of_text(check.code.as_deref()?)) {
            self.tally.component_refused(&key.scope.tenant, code);
        }
        tracing::info!(
            scope = %key.scope, plugin = %key.plugin, digest = %key.digest, state = release.state.as_str(),
            "a release was checked"
        );
        Ok(())
    }
}

fn is_refusal(check: &Check) -> bool {
    check.severity == Severity::Refused
}

fn findings_of(signature: Option<Check>, inspection: &Inspection) -> Findings {
    let checks = signature.into_iter().chain(inspection.checks.clone());
    Findings {
        version: inspection.metadata.version.clone(),
        metadata: inspection.metadata.clone(),
        checks: checks.collect(),
        replay: None,
    }
}

pub(crate) fn replay_check(
    report: &tenterhook_domain::replay::ReplayReport,
    policy: &tenterhook_domain::policy::ReleasePolicy,
) -> Check {
    use tenterhook_domain::policy::OnDivergence;
    let (broken, all) = (report.broken(), report.histories.len());
    let moves = policy.on_divergence == OnDivergence::Migrate;
    if broken == 0 {
        let after = match moves {
            true => ": once it is current, running executions move to it at their next task",
            false => "",
        };
        return Check::passed("replay", format!("{all} of {all} histories replay{after}"));
    }
    let found = format!("{broken} of {all} histories do not replay on this release");
    if policy.on_divergence == OnDivergence::Refuse {
        let detail = format!("{found}: patch the changed code, or set on_divergence to pin");
        return Check::refused("replay", &Error::new(Code::ReplayDiverges, detail));
    }
    let after = match moves {
        true => {
            "once it is current, running executions whose own history replays move to it at their next task, the others stay on their release"
        }
        false => "running executions stay on the release they began on",
    };
    Check::warning("replay", Code::ReplayDiverges, format!("{found}: {after}"))
}

fn progress(now: &'static str) -> Progress {
    let place = CHECKS.iter().position(|&name| name == now).unwrap_or(0);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Progress {
        done: count(place),
        total: count(CHECKS.len()),
        now: now.to_owned(),
    }
}
