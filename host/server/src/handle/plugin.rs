//! Plugins, what they may do, and how they are configured.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use tenterhook_domain::{execution::Page, grant::Grants};
use tenterhook_store::{Config, Plugin};

use crate::{
    Api,
    problem::Answer,
    request::{AtPlugin, AtScope, Json, PageQuery, Query},
};

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    at: AtScope,
    Query(query): Query<PageQuery>,
) -> Answer<JsonBody<Page<Plugin>>> {
    let plugins = &api.state.store.plugins;
    Ok(JsonBody(plugins.list(&at.scope, query.cursor()?).await?))
}

pub(crate) async fn get(State(api): State<Arc<Api>>, at: AtPlugin) -> Answer<JsonBody<Plugin>> {
    let plugins = &api.state.store.plugins;
    Ok(JsonBody(plugins.get(&at.scope, &at.plugin).await?))
}

pub(crate) async fn put_grants(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Json(grants): Json<Grants>,
) -> Answer<JsonBody<Grants>> {
    let plugins = &api.state.store.plugins;
    plugins.put_grants(&at.scope, &at.plugin, &grants).await?;
    tracing::info!(scope = %at.scope, plugin = %at.plugin, "grants were set");
    Ok(JsonBody(grants))
}

pub(crate) async fn get_grants(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<JsonBody<Grants>> {
    let plugins = &api.state.store.plugins;
    let snapshot = plugins.snapshot(&at.scope, &at.plugin).await?;
    Ok(JsonBody(snapshot.grants))
}

pub(crate) async fn put_config(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Json(config): Json<Config>,
) -> Answer<JsonBody<Config>> {
    let plugins = &api.state.store.plugins;
    plugins.put_config(&at.scope, &at.plugin, &config).await?;
    tracing::info!(scope = %at.scope, plugin = %at.plugin, "the configuration was set");
    Ok(JsonBody(config))
}

pub(crate) async fn get_config(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<JsonBody<Config>> {
    let plugins = &api.state.store.plugins;
    let snapshot = plugins.snapshot(&at.scope, &at.plugin).await?;
    Ok(JsonBody(snapshot.config))
}
