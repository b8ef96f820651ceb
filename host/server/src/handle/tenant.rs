//! Tenants and environments.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use serde::Serialize;
use tenterhook_domain::{Code, execution::Page};

use crate::{
    Api,
    answer::Put,
    guard::Caller,
    problem::Answer,
    request::{AtScope, AtTenant, PageQuery, Query},
};

/// Something of which only the name is known.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Named {
    /// Its name.
    #[schema(pattern = "^[a-z][a-z0-9-]{0,62}$")]
    name: String,
}

impl Named {
    fn of(name: &impl ToString) -> Self {
        Self {
            name: name.to_string(),
        }
    }
}

fn named<T: ToString>(page: Page<T>) -> Page<Named> {
    Page {
        items: page
            .items
            .into_iter()
            .map(|name| Named::of(&name))
            .collect(),
        next: page.next,
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<PageQuery>,
) -> Answer<Json<Page<Named>>> {
    let tenants = &api.state.store.tenants;
    let page = match caller.principal.tenant().cloned() {
        None => tenants.list(query.cursor()?).await?,
        Some(tenant) => {
            query.cursor()?;
            let items = match tenants.require(&tenant).await {
                Ok(()) => vec![tenant],
                Err(error) if error.code() == Code::TenantNotFound => Vec::new(),
                Err(error) => return Err(error.into()),
            };
            Page { items, next: None }
        }
    };
    Ok(Json(named(page)))
}

pub(crate) async fn put(State(api): State<Arc<Api>>, at: AtTenant) -> Answer<Put<Named>> {
    let written = api.state.store.tenants.put(&at.tenant).await?;
    Ok(Put(written, Named::of(&at.tenant)))
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtTenant) -> Answer<Json<Named>> {
    api.state.store.tenants.require(&at.tenant).await?;
    Ok(Json(Named::of(&at.tenant)))
}

pub(crate) async fn list_environments(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    Query(query): Query<PageQuery>,
) -> Answer<Json<Page<Named>>> {
    let environments = &api.state.store.environments;
    let page = environments.list(&at.tenant, query.cursor()?).await?;
    Ok(Json(named(page)))
}

pub(crate) async fn put_environment(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
) -> Answer<Put<Named>> {
    let written = api.state.store.environments.put(&scope).await?;
    Ok(Put(written, Named::of(&scope.environment)))
}

pub(crate) async fn get_environment(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
) -> Answer<Json<Named>> {
    api.state.store.environments.require(&scope).await?;
    Ok(Json(Named::of(&scope.environment)))
}
