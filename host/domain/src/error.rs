//! What can be refused, each under a code that never changes its meaning.
//!
//! The same code stands in an API problem, on the command line, in the log and in a Temporal failure.

use std::{fmt, time::Duration};

use crate::name::TenantId;

/// A result whose error carries a stable code.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of refusal a code is. The API maps each kind to one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is malformed or breaks a rule.
    Invalid,
    /// No valid credentials.
    Unauthenticated,
    /// Valid credentials that do not suffice.
    Forbidden,
    /// There is no such thing, or none the caller may know of.
    NotFound,
    /// It clashes with what is there.
    Conflict,
    /// What the caller knows of it is out of date.
    Precondition,
    /// The request or its body is larger than allowed.
    TooLarge,
    /// Come back later.
    Limited,
    /// A part the host needs does not answer.
    Unavailable,
    /// The tenant's own code failed.
    Plugin,
    /// A fault of the host.
    Internal,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $kind:ident;)+) => {
        /// A stable name for one way to fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// Every code there is, for documentation and tests.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The code as users meet it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// The code that users meet as `text`.
            pub fn of_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// What kind of refusal it is.
            pub const fn kind(self) -> Kind {
                match self { $(Code::$name => Kind::$kind,)+ }
            }

            /// True if what the store knows could not be had: who knew it before may go on with that.
            pub const fn is_of_store(self) -> bool {
                matches!(self, Code::StoreFailed | Code::StoreUnavailable)
            }

            /// One sentence for lists of codes.
            pub const fn summary(self) -> &'static str {
                match self { $(Code::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

codes! {
    /// A tenant, environment, plugin or type name breaks the naming rules.
    NameInvalid = "name-invalid", Invalid;
    /// A digest is not `sha256:` and 64 hex digits.
    DigestInvalid = "digest-invalid", Invalid;
    /// A workflow id is empty, too long or has characters that are not allowed.
    WorkflowIdInvalid = "workflow-id-invalid", Invalid;
    /// The request's body, query or headers cannot be read.
    RequestInvalid = "request-invalid", Invalid;
    /// The workflow's input does not match the schema of the release.
    InputInvalid = "input-invalid", Invalid;
    /// A grant asks for something that is not allowed or cannot be read.
    GrantInvalid = "grant-invalid", Invalid;
    /// A configuration key or value breaks its bounds.
    ConfigInvalid = "config-invalid", Invalid;
    /// The request's body is larger than allowed.
    BodyTooLarge = "body-too-large", TooLarge;
    /// The request took longer than allowed.
    RequestTimeout = "request-timeout", Unavailable;
    /// The host has as many requests under way as it takes, or more workflow tasks queued than it can run in time.
    HostBusy = "host-busy", Unavailable;
    /// No bearer token, or one that is not valid.
    TokenInvalid = "token-invalid", Unauthenticated;
    /// The token does not allow this operation.
    PermissionDenied = "permission-denied", Forbidden;
    /// There is no such tenant.
    TenantNotFound = "tenant-not-found", NotFound;
    /// There is no such environment.
    EnvironmentNotFound = "environment-not-found", NotFound;
    /// There is no such plugin.
    PluginNotFound = "plugin-not-found", NotFound;
    /// There is no such release.
    ReleaseNotFound = "release-not-found", NotFound;
    /// The plugin's current release has no such workflow type.
    WorkflowTypeNotFound = "workflow-type-not-found", NotFound;
    /// There is no such workflow execution.
    WorkflowNotFound = "workflow-not-found", NotFound;
    /// There is no such schedule.
    ScheduleNotFound = "schedule-not-found", NotFound;
    /// There is no such route.
    RouteNotFound = "route-not-found", NotFound;
    /// The path exists, the method does not.
    MethodNotAllowed = "method-not-allowed", Invalid;
    /// An execution with this id is already running.
    WorkflowAlreadyStarted = "workflow-already-started", Conflict;
    /// The execution is closed.
    WorkflowClosed = "workflow-closed", Conflict;
    /// The query failed in the workflow's code, or the workflow has no such query.
    QueryFailed = "query-failed", Plugin;
    /// The update was rejected or failed in the workflow's code.
    UpdateFailed = "update-failed", Plugin;
    /// The release is not in a state that allows this.
    ReleaseStateConflict = "release-state-conflict", Conflict;
    /// A plugin's release policy breaks a bound.
    PolicyInvalid = "policy-invalid", Invalid;
    /// The plan of a ramp breaks a bound.
    RolloutInvalid = "rollout-invalid", Invalid;
    /// The plugin has no ramp that this could be done to.
    RolloutNotRunning = "rollout-not-running", Conflict;
    /// A schedule, or what is asked of one, breaks a bound or cannot be read.
    ScheduleInvalid = "schedule-invalid", Invalid;
    /// What `If-Match` names was changed meanwhile.
    PreconditionFailed = "precondition-failed", Precondition;
    /// The bytes that came are not those of the digest that was sent along.
    DigestMismatch = "digest-mismatch", Invalid;
    /// A registry reference cannot be read, or does not name a digest.
    OriginInvalid = "origin-invalid", Invalid;
    /// The host may not pull from this registry or repository.
    RegistryDenied = "registry-denied", Forbidden;
    /// A registry does not answer, or does not let the host read.
    RegistryFailed = "registry-failed", Unavailable;
    /// The registry does not have what the reference names.
    ArtifactNotFound = "artifact-not-found", NotFound;
    /// What the reference names is not a component in the CNCF Wasm layout.
    ArtifactInvalid = "artifact-invalid", Invalid;
    /// The tenant's trust policy wants a signature, and none came with the release.
    SignatureMissing = "signature-missing", Invalid;
    /// The signature is not one of the component by somebody whom the tenant trusts.
    SignatureInvalid = "signature-invalid", Invalid;
    /// A trust policy breaks a bound, or names a key that cannot be read.
    TrustInvalid = "trust-invalid", Invalid;
    /// Running executions would not replay on the release, and the plugin's policy refuses that.
    ReplayDiverges = "replay-diverges", Invalid;
    /// A history cannot be read.
    HistoryInvalid = "history-invalid", Invalid;
    /// The same activations gave other commands the second time.
    ComponentNotDeterministic = "component-not-deterministic", Invalid;
    /// Part of what the component does could not be tried: made-up input does not get far enough.
    ComponentNotTried = "component-not-tried", Invalid;
    /// The component wants what is not granted.
    ComponentGrantMissing = "component-grant-missing", Invalid;
    /// Callers of the current release would miss something in this one.
    ComponentIncompatible = "component-incompatible", Invalid;
    /// The upload is not WebAssembly.
    ComponentInvalid = "component-invalid", Invalid;
    /// The upload is a core module, not a component.
    ComponentIsCoreModule = "component-is-core-module", Invalid;
    /// The component is larger than allowed.
    ComponentTooLarge = "component-too-large", TooLarge;
    /// The component imports something the host does not offer.
    ComponentImportUnknown = "component-import-unknown", Invalid;
    /// The component exports neither workflows nor activities, or exports them with wrong types.
    ComponentExportInvalid = "component-export-invalid", Invalid;
    /// What the component says of itself is not true or not readable.
    ComponentMetadataInvalid = "component-metadata-invalid", Invalid;
    /// The component does not compile.
    ComponentCompileFailed = "component-compile-failed", Invalid;
    /// A workflow type of the component cannot be instantiated.
    ComponentInstantiateFailed = "component-instantiate-failed", Invalid;
    /// The component's blob is missing from the store.
    ComponentMissing = "component-missing", Unavailable;
    /// A guest trapped: it panicked, or did what WebAssembly does not allow.
    GuestTrapped = "guest-trapped", Plugin;
    /// A guest used up its instructions for one activation.
    GuestFuelExhausted = "guest-fuel-exhausted", Plugin;
    /// A guest ran longer than one activation or attempt may.
    GuestDeadlineExceeded = "guest-deadline-exceeded", Plugin;
    /// A guest asked for more memory than its limit.
    GuestMemoryExceeded = "guest-memory-exceeded", Plugin;
    /// A guest handed over bytes that cannot be read.
    GuestMalformed = "guest-malformed", Plugin;
    /// A guest's payload is larger than its limit.
    GuestPayloadTooLarge = "guest-payload-too-large", Plugin;
    /// A guest emitted more commands in one activation than its limit.
    GuestTooManyCommands = "guest-too-many-commands", Plugin;
    /// Workflow code used something only activities may use.
    GuestCapabilityDenied = "guest-capability-denied", Plugin;
    /// A workflow command leaves its scope or uses a reserved name.
    CommandRefused = "command-refused", Plugin;
    /// A workflow command is one the host does not carry.
    CommandUnsupported = "command-unsupported", Plugin;
    /// The plugin's code took another way on replay than its history says.
    NonDeterministic = "non-deterministic", Plugin;
    /// The plugin has no such activity.
    ActivityTypeNotFound = "activity-type-not-found", Plugin;
    /// The tenant has as many attempts waiting for a place as it may.
    ActivityPlacesTaken = "activity-places-taken", Unavailable;
    /// The context header is missing, forged, or of another execution.
    ContextInvalid = "context-invalid", Forbidden;
    /// The context header is signed with a key that the host does not know, or not yet: the work is tried again.
    ContextKeyUnknown = "context-key-unknown", Unavailable;
    /// There are as many context keys as there may be.
    ContextKeysFull = "context-keys-full", Conflict;
    /// An outbound request goes where the grants do not allow.
    OutboundDenied = "outbound-denied", Plugin;
    /// Instances hold all the memory that the host has for them: the task or attempt is tried again later.
    HostMemoryTaken = "host-memory-taken", Unavailable;
    /// The tenant has its share of the host's outbound connections, and no other is free.
    OutboundConnectionsTaken = "outbound-connections-taken", Unavailable;
    /// A secret's value, or a placeholder for one, breaks a rule, or the plugin has too many.
    SecretInvalid = "secret-invalid", Invalid;
    /// The plugin has no such secret.
    SecretNotFound = "secret-not-found", NotFound;
    /// A request would take a secret where it is not granted.
    SecretNotGranted = "secret-not-granted", Plugin;
    /// The host does not have the key that the secret needs.
    SecretKeyMissing = "secret-key-missing", Unavailable;
    /// A stored secret cannot be decrypted: it was changed, or moved from another place.
    SecretUnreadable = "secret-unreadable", Internal;
    /// A payload's key is not the tenant's, or was deleted: what the payload says is lost.
    PayloadKeyGone = "payload-key-gone", Conflict;
    /// A payload cannot be decrypted: it was changed, or encrypted for another tenant.
    PayloadUnreadable = "payload-unreadable", Invalid;
    /// The encryption of the tenant's payloads is not in a state that allows this.
    EncryptionConflict = "encryption-conflict", Conflict;
    /// The tenant has used up one of its quotas.
    QuotaExceeded = "quota-exceeded", Limited;
    /// A quota has no such name, or a value outside its range.
    QuotaInvalid = "quota-invalid", Invalid;
    /// A limit has no such name, or a value outside its range.
    LimitInvalid = "limit-invalid", Invalid;
    /// A plugin's key-value state has as much as its limits allow, or is asked more often.
    KeyvalueLimitExceeded = "keyvalue-limit-exceeded", Plugin;
    /// A run has more activities, children or timers under way than its limit.
    GuestTooManyPending = "guest-too-many-pending", Plugin;
    /// A run's history is longer than its limit, and the run neither ends nor continues as new.
    GuestHistoryTooLong = "guest-history-too-long", Plugin;
    /// A plugin sends more or larger outbound requests than its limits allow.
    OutboundLimitExceeded = "outbound-limit-exceeded", Plugin;
    /// A destination of outbound requests keeps failing, and is left alone for a while.
    OutboundCircuitOpen = "outbound-circuit-open", Plugin;
    /// A lane has a name that cannot be used, or cannot be worked where it is to be.
    LaneInvalid = "lane-invalid", Invalid;
    /// The lane is another scope's, or there are as many as may be.
    LaneConflict = "lane-conflict", Conflict;
    /// The environment has no lane of its own.
    LaneNotFound = "lane-not-found", NotFound;
    /// Temporal does not answer.
    TemporalUnavailable = "temporal-unavailable", Unavailable;
    /// The host is stopping.
    HostStopping = "host-stopping", Unavailable;
    /// The host's store failed.
    StoreFailed = "store-failed", Internal;
    /// The host's database does not answer.
    StoreUnavailable = "store-unavailable", Unavailable;
    /// Another host uses this data folder.
    DataDirLocked = "data-dir-locked", Conflict;
    /// The host's configuration cannot be used.
    HostConfigInvalid = "host-config-invalid", Invalid;
    /// A fault of the host that has no code of its own.
    Internal = "internal", Internal;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: a stable code and a sentence for the person who meets it.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    code: Code,
    detail: String,
    after: Option<Duration>,
    quota: Option<Box<(TenantId, &'static str)>>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A refusal. `detail` names the thing, quotes values and says what to do.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            after: None,
            quota: None,
            source: None,
        }
    }

    /// Adds when it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.after = Some(after);
        self
    }

    /// Adds whose quota it is about, and which.
    #[must_use]
    pub fn of_quota(mut self, tenant: TenantId, quota: &'static str) -> Self {
        self.quota = Some(Box::new((tenant, quota)));
        self
    }

    /// Adds what caused it. The cause is for the log, never shown to a tenant.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What caused it, the whole chain in one line, for the log only. Empty without a cause.
    pub fn source_text(&self) -> String {
        let mut words = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            words.push(cause.to_string());
            next = cause.source();
        }
        words.join(": ")
    }

    /// Whose quota it is about, and which, where it is about one.
    pub fn quota(&self) -> Option<(&TenantId, &'static str)> {
        self.quota
            .as_deref()
            .map(|(tenant, quota)| (tenant, *quota))
    }

    /// When it is worth trying again, if that is known.
    pub fn after(&self) -> Option<Duration> {
        self.after
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_kebab_case() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let text = code.as_str();
            assert!(seen.insert(text), "{text} is used twice");
            assert!(
                text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{text}"
            );
        }
    }
}
