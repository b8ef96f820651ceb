//! The table of operations, and the router made of it.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{MethodFilter, MethodRouter, on},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{Api, guard, handle, problem};

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

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Everybody, without a token.
    Open,
    /// Whoever has a token; the answer shows what the token may see.
    Authenticated,
    /// Tokens of the tenant in the path, and admins. To others the tenant does not exist.
    Tenant,
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
        },)+];

        fn endpoint(operation: Operation, verb: Verb) -> MethodRouter<Arc<Api>> {
            match operation {
                $(Operation::$operation => on(verb.filter(), $handler),)+
            }
        }
    };
}

routes! {
    /// The process runs.
    Live: Get "/livez" Open => handle::health::live;
    /// The host can do its work.
    Ready: Get "/readyz" Open => handle::health::ready;
    /// The table of limits.
    ListLimits: Get "/v1/limits" Authenticated => handle::health::limits;
    /// Makes a token; its text is shown in this answer only.
    CreateToken: Post "/v1/tokens" Admin => handle::token::create;
    /// Tokens without their secrets.
    ListTokens: Get "/v1/tokens" Admin => handle::token::list;
    /// Forgets a token.
    DeleteToken: Delete "/v1/tokens/{token}" Admin => handle::token::delete;
    /// Tenants that the token may see.
    ListTenants: Get "/v1/tenants" Authenticated => handle::tenant::list;
    /// Makes a tenant.
    PutTenant: Put "/v1/tenants/{tenant}" Admin => handle::tenant::put;
    /// One tenant.
    GetTenant: Get "/v1/tenants/{tenant}" Tenant => handle::tenant::get;
    /// A tenant's environments.
    ListEnvironments: Get "/v1/tenants/{tenant}/environments" Tenant => handle::tenant::list_environments;
    /// Makes an environment.
    PutEnvironment: Put "/v1/tenants/{tenant}/environments/{environment}" Tenant => handle::tenant::put_environment;
    /// One environment.
    GetEnvironment: Get "/v1/tenants/{tenant}/environments/{environment}" Tenant => handle::tenant::get_environment;
    /// Plugins of a scope.
    ListPlugins: Get "/v1/tenants/{tenant}/environments/{environment}/plugins" Tenant => handle::plugin::list;
    /// One plugin.
    GetPlugin: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}" Tenant => handle::plugin::get;
    /// Sets what a plugin may do. The operator grants: a tenant cannot give itself the network.
    PutGrants: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/grants" Admin => handle::plugin::put_grants;
    /// What a plugin may do.
    GetGrants: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/grants" Tenant => handle::plugin::get_grants;
    /// Sets a plugin's configuration.
    PutConfig: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/config" Tenant => handle::plugin::put_config;
    /// A plugin's configuration.
    GetConfig: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/config" Tenant => handle::plugin::get_config;
    /// Checks and stores a component; the body is the component.
    PushRelease: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases" Tenant => handle::release::push;
    /// Releases of a plugin, newest first.
    ListReleases: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases" Tenant => handle::release::list;
    /// Looks at a component as a push would, and keeps nothing of it.
    CheckComponent: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/checks" Tenant => handle::check::check;
    /// One release.
    GetRelease: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/releases/{digest}" Tenant => handle::release::get;
    /// Makes a release the one that new executions start on.
    PutCurrent: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/current" Tenant => handle::release::put_current;
    /// The release that new executions start on.
    GetCurrent: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/current" Tenant => handle::release::get_current;
    /// The policy that a plugin's releases are handled by.
    GetPolicy: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/policy" Tenant => handle::rollout::get_policy;
    /// Sets the policy that a plugin's releases are handled by.
    PutPolicy: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/policy" Tenant => handle::rollout::put_policy;
    /// Which release new executions start on, and the ramp under way.
    GetRollout: Get "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout" Tenant => handle::rollout::get;
    /// Gives a release a share of the new executions, step by step.
    PutRollout: Put "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout" Tenant => handle::rollout::put;
    /// Takes the ramp to its next step.
    AdvanceRollout: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout/advance" Tenant => handle::rollout::advance;
    /// Keeps the ramp at its step.
    PauseRollout: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout/pause" Tenant => handle::rollout::pause;
    /// Lets the ramp go on.
    ResumeRollout: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollout/resume" Tenant => handle::rollout::resume;
    /// Stops the ramp, or goes back to the release before the current one.
    RollBack: Post "/v1/tenants/{tenant}/environments/{environment}/plugins/{plugin}/rollback" Tenant => handle::rollout::roll_back;
    /// Starts an execution.
    StartWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows" Tenant => handle::workflow::start;
    /// Executions of a scope, newest first.
    ListWorkflows: Get "/v1/tenants/{tenant}/environments/{environment}/workflows" Tenant => handle::workflow::list;
    /// What is known of an execution.
    GetWorkflow: Get "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}" Tenant => handle::workflow::get;
    /// How an execution ended.
    GetResult: Get "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/result" Tenant => handle::workflow::result;
    /// An execution's history in short.
    GetHistory: Get "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/history" Tenant => handle::workflow::history;
    /// Sends a signal.
    SignalWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/signals/{name}" Tenant => handle::message::signal;
    /// Asks a query.
    QueryWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/queries/{name}" Tenant => handle::message::query;
    /// Sends an update and waits for its end.
    UpdateWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/updates/{name}" Tenant => handle::message::update;
    /// Asks an execution to end.
    CancelWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/cancel" Tenant => handle::message::cancel;
    /// Ends an execution by force.
    TerminateWorkflow: Post "/v1/tenants/{tenant}/environments/{environment}/workflows/{id}/terminate" Tenant => handle::message::terminate;
}

/// The router: each operation behind its guard; problems for what is not in the table, and for panics.
pub(crate) fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
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
            match route.access {
                Access::Tenant => assert!(below_tenant, "{route:?}"),
                Access::Admin => {}
                Access::Open | Access::Authenticated => assert!(!below_tenant, "{route:?}"),
            }
            assert!(
                route.access != Access::Open || !route.path.starts_with("/v1"),
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
