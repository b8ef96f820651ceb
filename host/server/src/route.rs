//! The table of operations, and the router made of it.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{Api, cors, document::Draft, guard, handle, problem};

/// The methods that the API has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reads.
    Get,
    /// Sets; may be repeated.
    Put,
    /// Makes or asks.
    Post,
    /// Takes away; may be repeated.
    Delete,
}

impl Verb {
    /// The method as HTTP writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Put => MethodFilter::PUT,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Who may call an operation. Where the path names a place that a token may not know of, it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody, without a token.
    Open,
    /// Whoever has a token; the answer shows what the token may see.
    Authenticated,
    /// Every token that may know of the place: authors and callers read what they work with.
    Member,
    /// Callers of the environment, operators and admins.
    Caller,
    /// The plugin's authors, operators and admins.
    Author,
    /// Operators of the tenant, and admins.
    Operator,
    /// Admins.
    Admin,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// What it does.
    pub operation: Operation,
    /// By which method.
    pub verb: Verb,
    /// Under which path; `{name}` stands for one percent-encoded segment.
    pub path: &'static str,
    /// For whom.
    pub access: Access,
    /// What it does, in a sentence or two.
    pub about: &'static str,
}

macro_rules! routes {
    ($($(#[doc = $doc:literal])+ $operation:ident: $verb:ident $path:literal $access:ident => $handler:path;)+) => {
        /// What the API does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[doc = $doc])+ $operation,)+ }

        /// Every operation there is.
        pub const ROUTES: &[Route] = &[$(Route {
            operation: Operation::$operation,
            verb: Verb::$verb,
            path: $path,
            access: Access::$access,
            about: concat!($($doc),+),
        },)+];

        fn endpoint(operation: Operation, verb: Verb) -> MethodRouter<Arc<Api>> {
            match operation {
                $(Operation::$operation => on(verb.filter(), $handler),)+
            }
        }

        /// What the handler of `operation` reads and answers.
        pub(crate) fn draft(operation: Operation) -> Draft {
            match operation {
                $(Operation::$operation => Draft::of(&$handler),)+
            }
        }
    };
}

routes! {
    /// The process runs.
    Live: Get "/livez" Open => handle::health::live;
    /// The host can do its work.
    Ready: Get "/readyz" Open => handle::health::ready;
    /// What the host counts, in Prometheus' text format. It names tenants and plugins.
    GetMetrics: Get "/metrics" Admin => handle::metrics::text;
    /// This document.
    GetContract: Get "/v1/openapi.json" Open => handle::contract::json;
    /// This document, for people.
    GetDocs: Get "/docs" Open => handle::contract::page;
    /// The table of limits.
    ListLimits: Get "/v1/limits" Authenticated => handle::limit::table;
    /// The table of quotas.
    ListQuotas: Get "/v1/quotas" Authenticated => handle::quota::table;
    /// Makes a token; its text is shown in this answer only.
    CreateToken: Post "/v1/tokens" Admin => handle::token::create;
    /// Tokens without their secrets.
    ListTokens: Get "/v1/tokens" Admin => handle::token::list;
    /// Revokes a token.
    DeleteToken: Delete "/v1/tokens/{token}" Admin => handle::token::delete;
    /// The audit log of the host, newest first.
    ListAudit: Get "/v1/audit" Admin => handle::audit::of_host;
    /// The keys that the hosts sign contexts with, newest first.
    ListContextKeys: Get "/v1/context-keys" Admin => handle::context_key::list;
    /// Makes a new key to sign contexts with. Those before it still verify what began before it signs.
    RotateContextKeys: Post "/v1/context-keys/rotate" Admin => handle::context_key::rotate;
    /// Encrypts secrets and payload keys of all tenants under the host's first key that are under another one, as many as
    /// one call may take.
    ResealSecrets: Post "/v1/secrets/reseal" Admin => handle::secret::reseal;
    /// Tenants that the token may see.
    ListTenants: Get "/v1/tenants" Authenticated => handle::tenant::list;
    /// Makes a tenant.
    PutTenant: Put "/v1/tenants/{tenant}" Admin => handle::tenant::put;
    /// One tenant.
    GetTenant: Get "/v1/tenants/{tenant}" Member => handle::tenant::get;
    /// Makes a token of the tenant; its text is shown in this answer only.
    CreateTenantToken: Post "/v1/tenants/{tenant}/tokens" Operator => handle::token::create_of_tenant;
    /// Tokens of the tenant, without their secrets.
    ListTenantTokens: Get "/v1/tenants/{tenant}/tokens" Operator => handle::token::list_of_tenant;
    /// Revokes a token of the tenant.
    DeleteTenantToken: Delete "/v1/tenants/{tenant}/tokens/{token}" Operator => handle::token::delete_of_tenant;
    /// The audit log of the tenant, newest first.
    ListTenantAudit: Get "/v1/tenants/{tenant}/audit" Operator => handle::audit::of_tenant;
    /// Whom the tenant trusts to sign its releases.
    GetTrust: Get "/v1/tenants/{tenant}/trust" Member => handle::trust::get;
    /// Sets whom the tenant trusts to sign its releases. Releases that are there stay what they are.
    PutTrust: Put "/v1/tenants/{tenant}/trust" Operator => handle::trust::put;
    /// What the tenant may ask of the hosts, and how much of it is used.
    GetQuotas: Get "/v1/tenants/{tenant}/quotas" Operator => handle::quota::get;
    /// Sets what the tenant may ask of the hosts.
    PutQuotas: Put "/v1/tenants/{tenant}/quotas" Admin => handle::quota::put;
    /// What is set for the limits of all plugins of the tenant.
    GetTenantLimits: Get "/v1/tenants/{tenant}/limits" Operator => handle::limit::get;
    /// Sets defaults and ceilings for the limits of all plugins of the tenant.
    PutTenantLimits: Put "/v1/tenants/{tenant}/limits" Admin => handle::limit::put;
    /// Whether the tenant's payloads are encrypted on their way to Temporal, and under which keys.
    GetEncryption: Get "/v1/tenants/{tenant}/encryption" Operator => handle::encryption::get;
    /// Has the tenant's payloads encrypted from now on, or not. What is written already stays as it is, and opens.
    PutEncryption: Put "/v1/tenants/{tenant}/encryption" Operator => handle::encryption::put;
    /// Makes a new key, which encrypts the tenant's payloads from now on. Older ones still decrypt.
    AddPayloadKey: Post "/v1/tenants/{tenant}/keys" Operator => handle::encryption::rotate;
    /// Deletes all keys of the tenant's payloads, for good: what was encrypted under them can never be read again.
    DeletePayloadKeys: Delete "/v1/tenants/{tenant}/keys" Admin => handle::encryption::shred;
    /// Decrypts payloads of the tenant, for Temporal's UI and command line.
    DecodePayloads: Post "/v1/tenants/{tenant}/codec/decode" Operator => handle::codec::decode;
    /// Encrypts payloads as the host does for the tenant, for Temporal's UI and command line.
    EncodePayloads: Post "/v1/tenants/{tenant}/codec/encode" Operator => handle::codec::encode;
    /// Which destinations of the tenant's outbound requests fail, on the host that answers, and when they are tried again.
    ListCircuits: Get "/v1/tenants/{tenant}/circuits" Operator => handle::circuit::list;
    /// A tenant's environments.
    ListEnvironments: Get "/v1/tenants/{tenant}/environments" Operator => handle::tenant::list_environments;
    /// Makes an environment.
    PutEnvironment: Put "/v1/tenants/{tenant}/environments/{environment}" Operator => handle::tenant::put_environment;
    /// One environment.
    GetEnvironment: Get "/v1/tenants/{tenant}/environments/{environment}" Member => handle::tenant::get_environment;
    /// The lane that is this environment's alone.
    GetLane: Get "/v1/tenants/{tenant}/environments/{environment}/lane" Operator => handle::lane::get;
    /// Gives the environment a lane of its own: a task queue in the hosts' namespace, or a namespace. Whoever can write
    /// there to Temporal works in this environment's name.
    PutLane: Put "/v1/tenants/{tenant}/environments/{environment}/lane" Admin => handle::lane::put;
    /// Puts the environment back on the pooled lane. Executions that are open on its own one stay there, and wait.
    DeleteLane: Delete "/v1/tenants/{tenant}/environments/{environment}/lane" Admin => handle::lane::delete;
    /// Plugins of a scope.
    ListPlugins: Get "/v1/tenants/{tenant}/environments/{environment}/plugins" Caller => handle::plugin::list;
    /// One plugin.
    GetPlugin: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}" Member => handle::plugin::get;
    /// Sets what a plugin may do. The operator of the host grants: a tenant cannot give itself the network.
    PutGrants: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/grants" Admin => handle::plugin::put_grants;
    /// What a plugin may do.
    GetGrants: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/grants" Author => handle::plugin::get_grants;
    /// The limits in force for a plugin on the host that answers, and where each value comes from.
    GetPluginLimits: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/limits" Author => handle::limit::of_plugin;
    /// Sets a plugin's configuration.
    PutConfig: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/config" Operator => handle::plugin::put_config;
    /// A plugin's configuration.
    GetConfig: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/config" Author => handle::plugin::get_config;
    /// Sets how a plugin's releases are handled.
    PutPolicy: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/policy" Operator => handle::plugin::put_policy;
    /// How a plugin's releases are handled.
    GetPolicy: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/policy" Author => handle::plugin::get_policy;
    /// A plugin's secrets, without their values.
    ListSecrets: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/secrets" Author => handle::secret::list;
    /// Sets a secret. No answer ever has its value.
    PutSecret: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/secrets/{secret}" Operator => handle::secret::put;
    /// Forgets a secret.
    DeleteSecret: Delete "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/secrets/{secret}" Operator => handle::secret::delete;
    /// Stores a component and has it checked; the body is the component, or a form with its signature and itself.
    PushRelease: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases" Author => handle::arrival::push;
    /// Gets a component from an OCI registry that the host may pull from, stores it and has it checked.
    PullRelease: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/pulls" Author => handle::arrival::pull;
    /// Releases of a plugin, newest first.
    ListReleases: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases" Author => handle::release::list;
    /// One release; with `wait`, once it is in another state.
    GetRelease: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases/{digest}" Member => handle::release::get;
    /// What is another in a release than in the one of `against`.
    DiffReleases: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases/{digest}/diff" Author => handle::release::diff;
    /// Retires a release that no open execution is pinned to.
    RetireRelease: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases/{digest}/retire" Operator => handle::release::retire;
    /// Looks at a component as a push would, and keeps nothing of it.
    CheckComponent: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/checks" Author => handle::check::check;
    /// Makes a release the one that new executions start on.
    PutCurrent: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/current" Operator => handle::rollout::put_current;
    /// The release that new executions start on.
    GetCurrent: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/current" Member => handle::rollout::get_current;
    /// Lets a release take a growing share of the new executions.
    PutRollout: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout" Operator => handle::rollout::put;
    /// Which release new executions start on, and the ramp under way.
    GetRollout: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout" Author => handle::rollout::get;
    /// Takes the ramp to its next step; after the last, its release becomes current.
    AdvanceRollout: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout/advance" Operator => handle::rollout::advance;
    /// Holds the ramp at its step.
    PauseRollout: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout/pause" Operator => handle::rollout::pause;
    /// Lets a ramp that was paused go on.
    ResumeRollout: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout/resume" Operator => handle::rollout::resume;
    /// Stops the ramp under way; without one, makes the release before the current one current again.
    RollBack: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollback" Operator => handle::rollout::roll_back;
    /// The audit log of a plugin, newest first.
    ListPluginAudit: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/audit" Author => handle::audit::of_plugin;
    /// Starts an execution.
    StartWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows" Caller => handle::workflow::start;
    /// Executions of a scope, newest first.
    ListWorkflows: Get "/v1/tenants/{tenant}/environments/{environment}/workflows" Caller => handle::workflow::list;
    /// What is known of an execution.
    GetWorkflow: Get "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}" Caller => handle::workflow::get;
    /// How an execution ended.
    GetResult: Get "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/result" Caller => handle::workflow::result;
    /// An execution's history in short.
    GetHistory: Get "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/history" Caller => handle::workflow::history;
    /// Sends a signal.
    SignalWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/signals/{name}" Caller => handle::message::signal;
    /// Asks a query.
    QueryWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/queries/{name}" Caller => handle::message::query;
    /// Sends an update and waits for its end.
    UpdateWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/updates/{name}" Caller => handle::message::update;
    /// Asks an execution to end.
    CancelWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/cancel" Caller => handle::message::cancel;
    /// Ends an execution by force.
    TerminateWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/terminate" Caller => handle::message::terminate;
    /// Makes or replaces a schedule: executions that are started by themselves, at stated times.
    PutSchedule: Put "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}" Caller => handle::schedule::put;
    /// Schedules of a scope. A new one is listed within seconds.
    ListSchedules: Get "/v1/tenants/{tenant}/environments/{environment}/schedules" Caller => handle::schedule::list;
    /// What is known of a schedule: what it starts and when, what it started last and starts next.
    GetSchedule: Get "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}" Caller => handle::schedule::get;
    /// Takes a schedule away. What it started goes on.
    DeleteSchedule: Delete "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}" Caller => handle::schedule::delete;
    /// Has a schedule start nothing by itself.
    PauseSchedule: Post "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}/pause" Caller => handle::schedule::pause;
    /// Lets a paused schedule go on.
    ResumeSchedule: Post "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}/resume" Caller => handle::schedule::resume;
    /// Starts what a schedule starts now, besides its times. It counts as a start of the tenant.
    TriggerSchedule: Post "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}/trigger" Caller => handle::schedule::trigger;
    /// Makes up for past times of a schedule. Each counts as a start of the tenant.
    BackfillSchedule: Post "/v1/tenants/{tenant}/environments/{environment}/schedules/{schedule}/backfill" Caller => handle::schedule::backfill;
}

/// The router: each operation behind its guard; problems for what is not in the table, and for panics.
pub(crate) fn router(api: Arc<Api>) -> Router {
    router_of(api, |_| true)
}

/// The router of a host without an API: whether it lives, whether it can work, and what it counts.
pub(crate) fn health_router(api: Arc<Api>) -> Router {
    router_of(api, |operation| {
        matches!(
            operation,
            Operation::Live | Operation::Ready | Operation::GetMetrics
        )
    })
}

fn router_of(api: Arc<Api>, has: impl Fn(Operation) -> bool) -> Router {
    let mut router = Router::new();
    for route in ROUTES.iter().filter(|route| has(route.operation)) {
        let guarded = endpoint(route.operation, route.verb).layer(middleware::from_fn_with_state(
            (api.clone(), route),
            guard::guard,
        ));
        router = router.route(route.path, guarded);
    }
    router
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .layer(middleware::from_fn_with_state(api.clone(), cors::cors))
        .layer(middleware::from_fn(guard::observe))
        .with_state(api)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_path_with_a_tenant_is_guarded_by_it() {
        for route in ROUTES {
            let below_tenant = route.path.contains("{tenant}");
            let of_tenant = !matches!(
                route.access,
                Access::Open | Access::Authenticated | Access::Admin
            );
            assert!(
                of_tenant == below_tenant || route.access == Access::Admin,
                "{route:?}"
            );
            // Without a token the API tells of itself only.
            let contract = route.operation == Operation::GetContract;
            assert!(
                route.access != Access::Open || !route.path.starts_with("/v1") || contract,
                "{route:?}"
            );
        }
    }

    #[test]
    fn every_row_is_another_operation() {
        let mut operations = HashSet::new();
        let mut doors = HashSet::new();
        for route in ROUTES {
            assert!(operations.insert(route.operation), "{route:?}");
            assert!(doors.insert((route.verb, route.path)), "{route:?}");
        }
    }
}
