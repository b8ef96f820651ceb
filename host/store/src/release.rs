//! Releases of a plugin.

use async_trait::async_trait;
use tenterhook_domain::{
    Digest, PluginName, Result, Scope,
    audit::Author,
    check::{Check, Progress},
    component::Metadata,
    double_run::DoubleRunFinding,
    execution::Page,
    release::{Release, ReleaseState},
    replay::ReplayReport,
};

use crate::{Cursor, Written};

/// A release that comes in: its blob is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelease {
    /// Its name.
    pub digest: Digest,
    /// Size of the component, in bytes.
    pub bytes: u64,
    /// Milliseconds since the Unix epoch.
    pub uploaded_at: u64,
    /// Where its bytes came from.
    pub origin: String,
    /// The sigstore bundle that came with it, as JSON.
    pub signature: Option<String>,
}

/// Which release, of all there are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReleaseKey {
    /// The scope.
    pub scope: Scope,
    /// The plugin.
    pub plugin: PluginName,
    /// The release.
    pub digest: Digest,
}

/// What the checks found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    /// The version that the metadata gives.
    pub version: Option<String>,
    /// What the component says of itself.
    pub metadata: Metadata,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// How histories replayed.
    pub replay: Option<ReplayReport>,
}

/// What the checks came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The component itself is sound; its replays come next: `uploaded` → `checked`.
    Component,
    /// All passed: → `ready`, and → `current` if it is the plugin's first.
    Passed,
    /// One failed: → `refused`.
    Refused,
}

/// The releases of a plugin. [`crate::Store::publish`] stores the component and then calls `insert`.
///
/// Whoever checks a release holds a claim on it: a lease that others respect until it is over. Every change is
/// written to the audit log in the same transaction.
///
/// # Errors
/// Every operation: `store-failed`; `tenant-not-found`, `environment-not-found` or `plugin-not-found` for what
/// is not there on the way.
#[async_trait]
pub trait Releases: Send + Sync + 'static {
    /// Adds a release in state `uploaded`; its blob is stored. The plugin comes into being with its first release.
    /// A repetition answers the release that is there; one that was retired or refused is `uploaded` again.
    /// `quota-exceeded` when the tenant has no room for a further one.
    async fn insert(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        release: &NewRelease,
        author: &Author,
    ) -> Result<(Written, Release)>;
    /// One release. `release-not-found` when this plugin of this scope has none of that digest.
    async fn get(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<Release>;
    /// True if there is such a release, neither retired nor refused.
    async fn is_kept(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<bool>;
    /// The signature that came with a release, if one did. Read by its checks alone.
    async fn signature(&self, key: &ReleaseKey) -> Result<Option<String>>;
    /// Newest first.
    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        cursor: Cursor<'_>,
    ) -> Result<Page<Release>>;
    /// The one new executions start on, if there is one. `plugin-not-found` when there is no such plugin.
    async fn current(&self, scope: &Scope, plugin: &PluginName) -> Result<Option<Release>>;
    /// Claims the release that waits longest for its checks, until `until_millis`; none when nothing waits. A claim
    /// whose time is over by `now_millis` is given on: its host died.
    async fn claim(
        &self,
        host: &str,
        until_millis: u64,
        now_millis: u64,
    ) -> Result<Option<ReleaseKey>>;
    /// Holds the claim of `host` until `until_millis` and shows how far its checks are. False when it is lost.
    async fn report(
        &self,
        key: &ReleaseKey,
        host: &str,
        progress: &Progress,
        until_millis: u64,
    ) -> Result<bool>;
    /// Writes down what `host` found under its claim, and makes the move that follows from it. `Passed` and
    /// `Refused` end the claim. `release-state-conflict` when the claim is lost.
    async fn conclude(
        &self,
        key: &ReleaseKey,
        host: &str,
        findings: &Findings,
        checked: Checked,
        author: &Author,
        now_millis: u64,
    ) -> Result<Release>;
    /// Keeps what a double run found of a release that is there, once: false where something was found before.
    async fn note_double_run(
        &self,
        key: &ReleaseKey,
        finding: &DoubleRunFinding,
        author: &Author,
    ) -> Result<bool>;
    /// Releases of all scopes in `state`, with the time since which they are in it, in milliseconds since the Unix
    /// epoch. For the host's own rounds.
    async fn in_state(
        &self,
        state: ReleaseState,
        cursor: Cursor<'_>,
    ) -> Result<Page<(ReleaseKey, u64)>>;
    /// True if a release of any scope needs the bytes of `digest`: it is neither retired nor refused.
    async fn needs(&self, digest: &Digest) -> Result<bool>;
}
