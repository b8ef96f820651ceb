//! Schedules: executions that Temporal starts by itself.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::Deserialize;
use serde_json::Value;
use tenterhook_domain::{
    Code, Error, Result, Scope,
    execution::Page,
    schedule::{
        BACKFILL_STARTS_MAX, Backfill, Overlap, Schedule, ScheduleEntry, Scheduled, check_note,
    },
};
use tenterhook_store::Written;

use super::{release::no_release, workflow};
use crate::{
    Api,
    answer::{NoContent, Put},
    guard::Caller,
    problem::Answer,
    request::{AtSchedule, AtScope, Json, JsonOrNothing, PageQuery, Query},
    schema::WorkflowTypes,
};

/// `{"note": "…"}`, or nothing.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleNote {
    /// Why, for whoever looks at the schedule.
    #[serde(default)]
    #[schema(max_length = 250)]
    note: String,
}

/// `{"overlap": "skip"}`, or nothing.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleTrigger {
    /// What happens when the execution of before still runs; what the schedule says unless given.
    overlap: Option<Overlap>,
}

/// Makes or replaces it. What it starts has the tenant's shares of that moment. Its input is held against the release that is
/// current now; which one runs an execution is decided when it starts, as for all.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    AtSchedule { scope, id }: AtSchedule,
    Extension(caller): Extension<Caller>,
    Json(schedule): Json<Schedule>,
) -> Answer<Put<Scheduled>> {
    schedule.check()?;
    api.state.store.environments.require(&scope).await?;
    let schedule = checked(&api, &scope, schedule).await?;
    let schedules = &api.state.schedules;
    let weight = api.door.weight(&api.state, &scope.tenant).await?;
    let put = schedules.put(&scope, &id, &schedule, weight);
    let made = api.door.schedule(&api.state, (&scope, &id), put).await?;
    tracing::info!(%scope, schedule = %id, by = caller.token, made, "a schedule was put");
    let written = match made {
        true => Written::Created,
        false => Written::Unchanged,
    };
    Ok(Put(written, schedules.get(&scope, &id).await?))
}

/// The schedule, if the current release takes its input.
async fn checked(api: &Api, scope: &Scope, mut schedule: Schedule) -> Result<Schedule> {
    let workflow_type = schedule.action.workflow_type.clone();
    let types = current_types(api, scope, &schedule).await?;
    let check = move |input: Option<&Value>| types.check(&workflow_type, input);
    schedule.action.input = workflow::checked(schedule.action.input.take(), check).await?;
    Ok(schedule)
}

async fn current_types(
    api: &Api,
    scope: &Scope,
    schedule: &Schedule,
) -> Result<Arc<WorkflowTypes>> {
    let (store, plugin) = (&api.state.store, &schedule.action.workflow_type.plugin);
    let (line, _) = store.lines.line(scope, plugin).await?;
    let digest = line.current.ok_or_else(|| no_release(scope, plugin))?;
    workflow::types_of(api, scope, plugin, &digest).await
}

pub(crate) async fn get(
    State(api): State<Arc<Api>>,
    AtSchedule { scope, id }: AtSchedule,
) -> Answer<JsonBody<Scheduled>> {
    api.state.store.environments.require(&scope).await?;
    Ok(JsonBody(api.state.schedules.get(&scope, &id).await?))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    AtScope { scope }: AtScope,
    Query(query): Query<PageQuery>,
) -> Answer<JsonBody<Page<ScheduleEntry>>> {
    let limit = query.limit()?;
    api.state.store.environments.require(&scope).await?;
    let schedules = &api.state.schedules;
    let page = schedules.list(&scope, limit, query.into_cursor()).await?;
    Ok(JsonBody(page))
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    AtSchedule { scope, id }: AtSchedule,
    Extension(caller): Extension<Caller>,
) -> Answer<NoContent> {
    api.state.store.environments.require(&scope).await?;
    api.state.schedules.delete(&scope, &id).await?;
    api.door.schedule_gone(&api.state, &scope, &id).await;
    tracing::info!(%scope, schedule = %id, by = caller.token, "a schedule was deleted");
    Ok(NoContent)
}

pub(crate) async fn pause(
    State(api): State<Arc<Api>>,
    at: AtSchedule,
    JsonOrNothing(note): JsonOrNothing<ScheduleNote>,
) -> Answer<NoContent> {
    Ok(set_paused(&api, at, &note.note, true).await?)
}

pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    at: AtSchedule,
    JsonOrNothing(note): JsonOrNothing<ScheduleNote>,
) -> Answer<NoContent> {
    Ok(set_paused(&api, at, &note.note, false).await?)
}

async fn set_paused(api: &Api, at: AtSchedule, note: &str, paused: bool) -> Result<NoContent> {
    let AtSchedule { scope, id } = at;
    check_note(note)?;
    api.state.store.environments.require(&scope).await?;
    let schedules = &api.state.schedules;
    schedules.pause(&scope, &id, paused, note).await?;
    Ok(NoContent)
}

pub(crate) async fn trigger(
    State(api): State<Arc<Api>>,
    AtSchedule { scope, id }: AtSchedule,
    JsonOrNothing(trigger): JsonOrNothing<ScheduleTrigger>,
) -> Answer<NoContent> {
    api.state.store.environments.require(&scope).await?;
    api.door.start(&api.state, &scope.tenant).await?;
    let schedules = &api.state.schedules;
    schedules.trigger(&scope, &id, trigger.overlap).await?;
    Ok(NoContent)
}

pub(crate) async fn backfill(
    State(api): State<Arc<Api>>,
    AtSchedule { scope, id }: AtSchedule,
    Json(range): Json<Backfill>,
) -> Answer<NoContent> {
    range.check()?;
    api.state.store.environments.require(&scope).await?;
    let schedules = &api.state.schedules;
    let times = schedules.times(&scope, &id, &range).await?;
    if times > BACKFILL_STARTS_MAX {
        let detail = format!(
            "schedule {id} states more than {BACKFILL_STARTS_MAX} times in that range: make up for it in parts"
        );
        return Err(Error::new(Code::ScheduleInvalid, detail).into());
    }
    let starts = u64::try_from(times).unwrap_or(u64::MAX);
    api.door.starts(&api.state, &scope.tenant, starts).await?;
    schedules.backfill(&scope, &id, &range).await?;
    Ok(NoContent)
}
