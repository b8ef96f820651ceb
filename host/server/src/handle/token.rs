//! API tokens.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    execution::Page,
    token::{self, Principal},
};

use crate::{
    Api,
    problem::Answer,
    request::{AtToken, Json, PageQuery, Query},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    principal: Principal,
    #[serde(default)]
    label: String,
    /// Milliseconds since the Unix epoch.
    expires_at: Option<u64>,
}

/// A token as it is answered. `token` is there once, when it is made.
#[derive(Serialize)]
pub(crate) struct TokenView {
    id: String,
    principal: Principal,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Json(new): Json<NewToken>,
) -> Answer<(StatusCode, JsonBody<TokenView>)> {
    let now = api.state.clock.now_millis();
    let token = token::issue(new.principal, &new.label, now, new.expires_at)?;
    api.state.store.tokens.insert(&token.record).await?;
    tracing::info!(token = token.record.id, principal = ?token.record.principal, "a token was made");
    let view = TokenView {
        id: token.record.id,
        principal: token.record.principal,
        token: Some(token.text),
    };
    Ok((StatusCode::CREATED, JsonBody(view)))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(query): Query<PageQuery>,
) -> Answer<JsonBody<Page<TokenView>>> {
    let page = api.state.store.tokens.list(query.cursor()?).await?;
    let items = page.items.into_iter().map(|record| TokenView {
        id: record.id,
        principal: record.principal,
        token: None,
    });
    Ok(JsonBody(Page {
        items: items.collect(),
        next: page.next,
    }))
}

/// Answers the same whether it was there: what counts is that it is gone.
pub(crate) async fn delete(State(api): State<Arc<Api>>, at: AtToken) -> Answer<StatusCode> {
    if api.state.store.tokens.delete(&at.id).await? {
        tracing::info!(token = at.id, "a token was deleted");
    }
    Ok(StatusCode::NO_CONTENT)
}
