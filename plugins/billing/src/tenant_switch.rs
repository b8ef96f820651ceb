//! The workflow `TenantSwitch`: a user goes on working in another tenant, over three services that know nothing of one
//! another.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};
use tenterhook_sdk::payload;

use crate::steps::{Staged, Steps, Stop};
use crate::tenancy::{
    LoginRequest, UserInTenant, create_tenant_session, update_user_tenant, validate_tenant_access,
};

/// A switch to make.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SwitchInput {
    #[schemars(length(min = 1, max = 200))]
    pub(crate) user_id: String,
    /// Where the user goes.
    #[schemars(length(min = 1, max = 200))]
    pub(crate) tenant_id: String,
    /// Milliseconds before a failed step is tried again the first time, in place of the preset's second: for tests
    /// and demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60_000))]
    pub(crate) retry_initial_ms: Option<u64>,
}

/// A user in another tenant.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Switched {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
    pub(crate) previous_tenant_id: String,
    /// What the user may be there.
    pub(crate) role: String,
    /// What the user is logged in to.
    pub(crate) session_id: String,
}

/// Where a switch stands.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct SwitchProgress {
    pub(crate) user_id: String,
    /// The step under way, or `compensating`, `completed`, `failed`, `cancelled`.
    pub(crate) step: String,
}

/// One switch under way.
#[workflow]
pub(crate) struct TenantSwitch {
    input: SwitchInput,
    stage: &'static str,
}

impl Staged for TenantSwitch {
    fn enter(&mut self, stage: &'static str) {
        self.stage = stage;
    }
}

#[workflow_methods]
impl TenantSwitch {
    #[init]
    pub(crate) fn new(_ctx: &WorkflowContextView, input: SwitchInput) -> Self {
        Self {
            input,
            stage: "beginning",
        }
    }

    #[run]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Switched> {
        let input = ctx.state(|workflow| workflow.input.clone());
        let what = format!("the move of {} to {}", input.user_id, input.tenant_id);
        let mut steps = Steps::begin(ctx, what, input.retry_initial_ms);
        let outcome = go_on(ctx, &mut steps, input).await;
        steps.end(ctx, outcome).await
    }

    #[query]
    pub(crate) fn progress(&self, _ctx: &WorkflowContextView) -> SwitchProgress {
        SwitchProgress {
            user_id: self.input.user_id.clone(),
            step: self.stage.to_owned(),
        }
    }
}

async fn go_on(
    ctx: &WorkflowContext<TenantSwitch>,
    steps: &mut Steps<TenantSwitch>,
    input: SwitchInput,
) -> Result<Switched, Stop> {
    let SwitchInput {
        user_id, tenant_id, ..
    } = input;
    let user = UserInTenant {
        user_id: user_id.clone(),
        tenant_id: tenant_id.clone(),
    };
    let validate = validate_tenant_access(user.clone());
    let access = steps.take(ctx, "validate_access", validate).await?;
    let update = update_user_tenant(user);
    let back = |moved: &_| update_user_tenant(UserInTenant::back(moved));
    let moved = steps
        .take_undoable(ctx, "update_tenant", update, back)
        .await?;
    // Moving the user back ends what he was logged in to here, and who is not here is not logged in any more.
    let request = LoginRequest {
        user_id: user_id.clone(),
        tenant_id: tenant_id.clone(),
        role: access.role.clone(),
    };
    let log_in = create_tenant_session(request);
    let login = steps.take(ctx, "log_in", log_in).await?;
    Ok(Switched {
        user_id,
        tenant_id,
        previous_tenant_id: moved.previous_tenant_id,
        role: access.role,
        session_id: login.id,
    })
}
