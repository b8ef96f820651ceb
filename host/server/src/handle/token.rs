//! API tokens: all of them for admins, a tenant's own for its operators.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    Code, Error, Result, TenantId,
    execution::Page,
    token::{self, LABEL_CHARS_MAX, Principal, TokenRecord},
};

use crate::{
    Api,
    answer::{Created, NoContent},
    guard::Caller,
    problem::Answer,
    request::{AtTenant, AtTenantToken, AtToken, Json, PageQuery, Query},
};

/// A token to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// Who it speaks for.
    principal: Principal,
    /// What it is for, for a person.
    #[serde(default)]
    #[schema(max_length = 200)]
    label: String,
    /// When it ends, milliseconds since the Unix epoch; none: when it is deleted.
    #[serde(default, deserialize_with = "tenterhook_domain::whole::optional")]
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    expires_at: Option<u64>,
}

/// A token as it is answered.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct TokenView {
    /// The public part, by which it is revoked.
    id: String,
    /// Who it speaks for.
    principal: Principal,
    /// What it is for.
    label: String,
    /// Milliseconds since the Unix epoch.
    created_at: u64,
    /// When it ends, milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<u64>,
    /// True once it ended.
    expired: bool,
    /// The token itself: there once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<String>,
}

impl TokenView {
    fn of(record: TokenRecord, now_millis: u64, token: Option<String>) -> Self {
        Self {
            expired: !record.is_valid_at(now_millis),
            id: record.id,
            principal: record.principal,
            label: record.label,
            created_at: record.created_at,
            expires_at: record.expires_at,
            token,
        }
    }
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Json(new): Json<NewToken>,
) -> Answer<Created<TokenView>> {
    Ok(Created(make(&api, &caller, new).await?))
}

/// An operator makes tokens of its own tenant only, and never an admin's.
pub(crate) async fn create_of_tenant(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Extension(caller): Extension<Caller>,
    Json(new): Json<NewToken>,
) -> Answer<Created<TokenView>> {
    api.state.store.tenants.require(&at.tenant).await?;
    match new.principal.tenant() {
        Some(tenant) if *tenant == at.tenant => {}
        Some(tenant) => {
            let detail = format!("there is no tenant {tenant}");
            return Err(Error::new(Code::TenantNotFound, detail).into());
        }
        None => {
            let detail = format!(
                "only POST /v1/tokens makes a token that is not of {}",
                at.tenant
            );
            return Err(Error::new(Code::PermissionDenied, detail).into());
        }
    }
    Ok(Created(make(&api, &caller, new).await?))
}

async fn make(api: &Api, caller: &Caller, new: NewToken) -> Result<TokenView> {
    if new.label.chars().count() > LABEL_CHARS_MAX {
        return Err(Error::new(
            Code::RequestInvalid,
            format!("the label has more than {LABEL_CHARS_MAX} characters: shorten it"),
        ));
    }
    if let Principal::Author { scope, .. } | Principal::Caller { scope } = &new.principal {
        api.state.store.environments.require(scope).await?;
    }
    let now = api.state.clock.now_millis();
    let token = token::issue(new.principal, &new.label, now, new.expires_at)?;
    api.state.store.tokens.insert(&token.record).await?;
    tracing::info!(
        by = caller.token, token = token.record.id, principal = ?token.record.principal,
        "a token was made"
    );
    Ok(TokenView::of(token.record, now, Some(token.text)))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(query): Query<PageQuery>,
) -> Answer<JsonBody<Page<TokenView>>> {
    let page = api.state.store.tokens.list(query.cursor()?).await?;
    Ok(JsonBody(shown(&api, page)))
}

pub(crate) async fn list_of_tenant(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Query(query): Query<PageQuery>,
) -> Answer<JsonBody<Page<TokenView>>> {
    let store = &api.state.store;
    store.tenants.require(&at.tenant).await?;
    let page = store.tokens.list_of(&at.tenant, query.cursor()?).await?;
    Ok(JsonBody(shown(&api, page)))
}

fn shown(api: &Api, page: Page<TokenRecord>) -> Page<TokenView> {
    let now = api.state.clock.now_millis();
    let views = page.items.into_iter();
    Page {
        items: views
            .map(|record| TokenView::of(record, now, None))
            .collect(),
        next: page.next,
    }
}

/// Answers the same whether it was there: what counts is that it is gone.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    at: AtToken,
    Extension(caller): Extension<Caller>,
) -> Answer<NoContent> {
    forget(&api, &caller, &at.id).await?;
    Ok(NoContent)
}

/// The same for a token of the tenant; one that is not of it is let alone.
pub(crate) async fn delete_of_tenant(
    State(api): State<Arc<Api>>,
    at: AtTenantToken,
    Extension(caller): Extension<Caller>,
) -> Answer<NoContent> {
    let store = &api.state.store;
    store.tenants.require(&at.tenant).await?;
    let found = store.tokens.find(&at.id).await?;
    if found.is_some_and(|record| is_of(&record, &at.tenant)) {
        forget(&api, &caller, &at.id).await?;
    }
    Ok(NoContent)
}

fn is_of(record: &TokenRecord, tenant: &TenantId) -> bool {
    record.principal.tenant() == Some(tenant)
}

async fn forget(api: &Api, caller: &Caller, id: &str) -> Result<()> {
    if api.state.store.tokens.delete(id).await? {
        tracing::info!(by = caller.token, token = id, "a token was deleted");
    }
    Ok(())
}
