//! A user's tenant, over three services: who may be where, who is where, and what he is logged in to.

use serde::Serialize;
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::model::name;
use crate::provider;

/// A user, and a tenant.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct UserInTenant {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
}

/// What a user may be in a tenant.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) role: String,
}

/// A user who is in another tenant now.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct UserMoved {
    pub(crate) user_id: String,
    /// The tenant before.
    pub(crate) previous_tenant_id: String,
}

impl UserInTenant {
    /// The user, in the tenant before.
    pub(crate) fn back(moved: &UserMoved) -> Self {
        Self {
            user_id: moved.user_id.clone(),
            tenant_id: moved.previous_tenant_id.clone(),
        }
    }
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct LoginRequest {
    pub(crate) user_id: String,
    pub(crate) tenant_id: String,
    pub(crate) role: String,
}

/// What a user is logged in to.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Login {
    #[serde(rename = "session_id")]
    pub(crate) id: String,
}

#[derive(Serialize)]
struct NewTenant {
    tenant_id: String,
}

/// Asks whether a user may work in a tenant, and as what. Where he may not, it is an `AuthorizationError`.
#[activity(timeout = Short, retry = Network)]
pub(crate) fn validate_tenant_access(
    _: &ActivityContext,
    asked: UserInTenant,
) -> Result<Access, ActivityError> {
    check(&asked)?;
    let UserInTenant { user_id, tenant_id } = asked;
    let (tenant, user) = (encode_segment(&tenant_id), encode_segment(&user_id));
    let path = format!("tenants/{tenant}/access/{user}");
    let access: Access = provider::read(provider::TENANTS, &path)?;
    info!(
        "user {user_id} may be {} in tenant {tenant_id}",
        access.role
    );
    Ok(access)
}

/// Puts a user into a tenant, and answers the tenant before. What he was logged in to there ends.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn update_user_tenant(
    ctx: &ActivityContext,
    asked: UserInTenant,
) -> Result<UserMoved, ActivityError> {
    check(&asked)?;
    let UserInTenant { user_id, tenant_id } = asked;
    let path = format!("users/{}/tenant", encode_segment(&user_id));
    let body = NewTenant { tenant_id };
    let to = (Method::Put, path.as_str());
    let moved: UserMoved = provider::change(ctx, provider::USERS, to, &body)?;
    let (from, to) = (&moved.previous_tenant_id, &body.tenant_id);
    info!("user {user_id} moves from tenant {from} to {to}");
    Ok(moved)
}

/// Logs a user in to the tenant that he is in.
#[activity(timeout = Short, retry = ExternalService)]
pub(crate) fn create_tenant_session(
    ctx: &ActivityContext,
    asked: LoginRequest,
) -> Result<Login, ActivityError> {
    let mut findings = Findings::default();
    name(&mut findings, "user_id", &asked.user_id);
    name(&mut findings, "tenant_id", &asked.tenant_id);
    name(&mut findings, "role", &asked.role);
    findings.verdict("the login is wrong")?;
    let to = (Method::Post, "sessions");
    let login: Login = provider::change(ctx, provider::LOGINS, to, &asked)?;
    info!(
        "user {} is logged in to tenant {}",
        asked.user_id, asked.tenant_id
    );
    Ok(login)
}

fn check(asked: &UserInTenant) -> Result<(), ActivityError> {
    let mut findings = Findings::default();
    name(&mut findings, "user_id", &asked.user_id);
    name(&mut findings, "tenant_id", &asked.tenant_id);
    findings.verdict("user and tenant is wrong")
}
