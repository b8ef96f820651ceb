//! Plugins, what they may do, how they are configured, and how their releases are handled.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::Serialize;
use tenterhook_domain::{Code, Result, execution::Page, grant::Grants, policy::ReleasePolicy};
use tenterhook_store::{Config, Plugin, PluginSnapshot, Setting};

use crate::{
    Api,
    answer::{Tagged, entity_tag},
    guard::Caller,
    problem::Answer,
    request::{AtPlugin, AtScope, IfMatch, Json, PageQuery, Query, TRIES_MAX, outdated},
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

async fn snapshot(api: &Api, at: &AtPlugin) -> Result<PluginSnapshot> {
    let plugins = &api.state.store.plugins;
    plugins.snapshot(&at.scope, &at.plugin).await
}

/// What of a plugin is set as a whole.
trait Part: Serialize + Sized {
    const NAME: &'static str;
    fn of(snapshot: PluginSnapshot) -> Self;
    fn setting(&self) -> Setting<'_>;
}

impl Part for Grants {
    const NAME: &'static str = "grants";
    fn of(snapshot: PluginSnapshot) -> Self {
        snapshot.grants
    }
    fn setting(&self) -> Setting<'_> {
        Setting::Grants(self)
    }
}

impl Part for Config {
    const NAME: &'static str = "configuration";
    fn of(snapshot: PluginSnapshot) -> Self {
        snapshot.config
    }
    fn setting(&self) -> Setting<'_> {
        Setting::Config(self)
    }
}

impl Part for ReleasePolicy {
    const NAME: &'static str = "policy";
    fn of(snapshot: PluginSnapshot) -> Self {
        snapshot.policy
    }
    fn setting(&self) -> Setting<'_> {
        Setting::Policy(self)
    }
}

fn tagged<T: Part>(body: T) -> Answer<Tagged<T>> {
    let tag = entity_tag(&body)?;
    Ok(Tagged { tag, body })
}

async fn part<T: Part>(api: &Api, at: &AtPlugin) -> Answer<Tagged<T>> {
    tagged(T::of(snapshot(api, at).await?))
}

/// Sets one part of a plugin, if it is as the caller knows it. Only what is there can be as somebody knows it.
async fn set<T: Part>(
    api: &Api,
    at: &AtPlugin,
    caller: &Caller,
    expected: &IfMatch,
    part: T,
) -> Answer<Tagged<T>> {
    let (plugins, scope, plugin) = (&api.state.store.plugins, &at.scope, &at.plugin);
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    // What can never be set is refused for that, and not for what others did meanwhile (RFC 9110, 13.2.1).
    part.setting().check()?;
    for _ in 0..TRIES_MAX {
        let revision = if expected.is_given() {
            let snapshot = snapshot(api, at).await?;
            let revision = snapshot.revision;
            if !expected.allows(&entity_tag(&T::of(snapshot))?) {
                break;
            }
            Some(revision)
        } else {
            None
        };
        let put = plugins.put(scope, plugin, part.setting(), revision, &author, now);
        match put.await {
            Err(error) if error.code() == Code::PreconditionFailed => {}
            Err(error) => return Err(error.into()),
            Ok(()) => {
                tracing::info!(%scope, %plugin, by = caller.token, "the {} was set", T::NAME);
                return tagged(part);
            }
        }
    }
    Err(outdated(T::NAME, scope, plugin).into())
}

pub(crate) async fn put_grants(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(grants): Json<Grants>,
) -> Answer<Tagged<Grants>> {
    set(&api, &at, &caller, &expected, grants).await
}

pub(crate) async fn get_grants(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<Tagged<Grants>> {
    part(&api, &at).await
}

pub(crate) async fn put_config(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(config): Json<Config>,
) -> Answer<Tagged<Config>> {
    set(&api, &at, &caller, &expected, config).await
}

pub(crate) async fn get_config(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<Tagged<Config>> {
    part(&api, &at).await
}

pub(crate) async fn put_policy(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
    Extension(caller): Extension<Caller>,
    expected: IfMatch,
    Json(policy): Json<ReleasePolicy>,
) -> Answer<Tagged<ReleasePolicy>> {
    set(&api, &at, &caller, &expected, policy).await
}

pub(crate) async fn get_policy(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<Tagged<ReleasePolicy>> {
    part(&api, &at).await
}
