//! Schedules on Temporal: [`Schedules`] by raw calls, as executions are.
//!
//! A schedule's id on Temporal is `tenant/environment/id`, or `id` where the scope has a namespace of its own; so begins every
//! id of an execution that it starts. Nothing is kept beside Temporal: what is answered is what stands there.

mod answer;
mod renew;
mod request;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use temporalio_client::{
    grpc::WorkflowService as _,
    tonic::{Code as GrpcCode, Request, Status as GrpcStatus},
};
use temporalio_protos::temporal::api::{
    schedule::v1::{BackfillRequest, SchedulePatch, TriggerImmediatelyRequest},
    workflowservice::v1::{
        CreateScheduleRequest, DeleteScheduleRequest, DescribeScheduleRequest,
        DescribeScheduleResponse, ListScheduleMatchingTimesRequest, ListSchedulesRequest,
        ListSchedulesResponse, PatchScheduleRequest, UpdateScheduleRequest,
    },
};
use tenterhook_domain::{
    Code, Error, Result, ScheduleId, Scope, TenantId,
    execution::Page,
    schedule::{Backfill, Overlap, Schedule, ScheduleEntry, Scheduled, Schedules},
};

use self::request::{overlap_policy, timestamp};
use super::Gateway;
use crate::{
    codec,
    connection::{Temporal, refusal},
};

/// Schedules that one call lists: Temporal gives no more.
const LISTED_MAX: usize = 1_000;

#[async_trait]
impl Schedules for Gateway {
    async fn put(
        &self,
        scope: &Scope,
        id: &ScheduleId,
        schedule: &Schedule,
        weight: u16,
    ) -> Result<bool> {
        let ring = self.codec.ring(&scope.tenant).await?;
        let site = self.directory.site(scope).await?;
        let schedule_id = site.ids.temporal_id(scope, id.as_str())?;
        let create = CreateScheduleRequest {
            namespace: site.temporal.namespace().to_owned(),
            schedule_id: schedule_id.clone(),
            schedule: Some(self.schedule_request(&site, scope, id, (schedule, weight), &ring)?),
            identity: site.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            search_attributes: Some(request::attributes(scope, schedule)),
            ..Default::default()
        };
        let (replacement, attributes) = (create.schedule.clone(), create.search_attributes.clone());
        let mut service = site.temporal.service();
        match service.create_schedule(Request::new(create)).await {
            Ok(_) => return Ok(true),
            Err(status) if status.code() == GrpcCode::AlreadyExists => {}
            Err(status) => return Err(refused(&status, id)),
        }
        let update = UpdateScheduleRequest {
            namespace: site.temporal.namespace().to_owned(),
            schedule_id,
            schedule: replacement,
            identity: site.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            search_attributes: attributes,
            ..Default::default()
        };
        let updated = service.update_schedule(Request::new(update)).await;
        updated
            .map(|_| false)
            .map_err(|status| refused(&status, id))
    }

    async fn get(&self, scope: &Scope, id: &ScheduleId) -> Result<Scheduled> {
        let ring = self.codec.ring(&scope.tenant).await?;
        let site = self.directory.site(scope).await?;
        let schedule_id = site.ids.temporal_id(scope, id.as_str())?;
        let mut described = describe_schedule(&site.temporal, &schedule_id, id).await?;
        codec::open_what_opens(&ring, &mut described);
        answer::scheduled(site.ids, scope, id, described)
    }

    async fn list(
        &self,
        scope: &Scope,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<ScheduleEntry>> {
        // Names have no quotes by their own rules, so they cannot leave the string.
        let query = format!(
            "Tenant = '{}' AND Environment = '{}'",
            scope.tenant, scope.environment
        );
        let not_a_cursor = || {
            let detail = "that is not a cursor: give back the `next` of a page";
            Error::new(Code::RequestInvalid, detail)
        };
        let site = self.directory.site(scope).await?;
        let continues = cursor.is_some();
        let token = cursor.map(|cursor| BASE64.decode(cursor)).transpose();
        let token = token.map_err(|_| not_a_cursor())?.unwrap_or_default();
        let listed = list_schedules(&site.temporal, query, limit, token).await;
        // What stands in a cursor is Temporal's, and it says in many ways that it cannot read it.
        let listed = listed.map_err(|error| match continues {
            true if error.code() != Code::TemporalUnavailable => not_a_cursor().caused_by(error),
            _ => error,
        })?;
        Ok(Page {
            items: listed
                .schedules
                .into_iter()
                .filter_map(|entry| answer::entry(site.ids, scope, entry))
                .collect(),
            next: Some(listed.next_page_token)
                .filter(|token| !token.is_empty())
                .map(|token| BASE64.encode(token)),
        })
    }

    async fn delete(&self, scope: &Scope, id: &ScheduleId) -> Result<()> {
        let site = self.directory.site(scope).await?;
        let request = DeleteScheduleRequest {
            namespace: site.temporal.namespace().to_owned(),
            schedule_id: site.ids.temporal_id(scope, id.as_str())?,
            identity: site.temporal.identity().to_owned(),
        };
        let mut service = site.temporal.service();
        match service.delete_schedule(Request::new(request)).await {
            Err(status) if status.code() != GrpcCode::NotFound => Err(refused(&status, id)),
            _ => Ok(()),
        }
    }

    async fn pause(&self, scope: &Scope, id: &ScheduleId, paused: bool, note: &str) -> Result<()> {
        // Temporal takes an empty note for none, and does nothing then.
        let note = match (note.is_empty(), paused) {
            (false, _) => note,
            (true, true) => "paused through the API",
            (true, false) => "resumed through the API",
        };
        let (pause, unpause) = match paused {
            true => (note.to_owned(), String::new()),
            false => (String::new(), note.to_owned()),
        };
        let patch = SchedulePatch {
            pause,
            unpause,
            ..Default::default()
        };
        self.patch(scope, id, patch).await
    }

    async fn trigger(
        &self,
        scope: &Scope,
        id: &ScheduleId,
        overlap: Option<Overlap>,
    ) -> Result<()> {
        let patch = SchedulePatch {
            trigger_immediately: Some(TriggerImmediatelyRequest {
                overlap_policy: overlap.map_or(0, |overlap| overlap_policy(overlap).into()),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.patch(scope, id, patch).await
    }

    async fn times(&self, scope: &Scope, id: &ScheduleId, range: &Backfill) -> Result<usize> {
        let site = self.directory.site(scope).await?;
        let request = ListScheduleMatchingTimesRequest {
            namespace: site.temporal.namespace().to_owned(),
            schedule_id: site.ids.temporal_id(scope, id.as_str())?,
            start_time: Some(timestamp(range.from)),
            end_time: Some(timestamp(range.to)),
        };
        let mut service = site.temporal.service();
        let listed = service
            .list_schedule_matching_times(Request::new(request))
            .await;
        let listed = listed.map_err(|status| refused(&status, id))?;
        Ok(listed.into_inner().start_time.len())
    }

    async fn backfill(&self, scope: &Scope, id: &ScheduleId, range: &Backfill) -> Result<()> {
        let backfill = BackfillRequest {
            start_time: Some(timestamp(range.from)),
            end_time: Some(timestamp(range.to)),
            overlap_policy: range
                .overlap
                .map_or(0, |overlap| overlap_policy(overlap).into()),
        };
        let patch = SchedulePatch {
            backfill_request: vec![backfill],
            ..Default::default()
        };
        self.patch(scope, id, patch).await
    }

    async fn of_tenant(&self, tenant: &TenantId, most: usize) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (temporal, own) in self.directory.namespaces().await? {
            if own.as_ref().is_some_and(|scope| scope.tenant != *tenant) {
                continue;
            }
            let mut token = Vec::new();
            loop {
                let query = format!("Tenant = '{tenant}'");
                let listed = list_schedules(&temporal, query, LISTED_MAX, token).await?;
                found.extend(listed.schedules.into_iter().filter_map(|entry| {
                    let (scope, id) = scope_of(own.as_ref(), &entry.schedule_id)?;
                    (scope.tenant == *tenant).then(|| format!("{}/{id}", scope.environment))
                }));
                token = listed.next_page_token;
                if found.len() > most {
                    return Ok(found);
                }
                if token.is_empty() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

impl Gateway {
    async fn patch(&self, scope: &Scope, id: &ScheduleId, patch: SchedulePatch) -> Result<()> {
        let site = self.directory.site(scope).await?;
        let request = PatchScheduleRequest {
            namespace: site.temporal.namespace().to_owned(),
            schedule_id: site.ids.temporal_id(scope, id.as_str())?,
            patch: Some(patch),
            identity: site.temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
        };
        let mut service = site.temporal.service();
        let patched = service.patch_schedule(Request::new(request)).await;
        patched.map(|_| ()).map_err(|status| refused(&status, id))
    }
}

async fn describe_schedule(
    temporal: &Temporal,
    schedule_id: &str,
    id: &ScheduleId,
) -> Result<DescribeScheduleResponse> {
    let request = DescribeScheduleRequest {
        namespace: temporal.namespace().to_owned(),
        schedule_id: schedule_id.to_owned(),
    };
    let mut service = temporal.service();
    let described = service.describe_schedule(Request::new(request)).await;
    described
        .map(|response| response.into_inner())
        .map_err(|status| refused(&status, id))
}

async fn list_schedules(
    temporal: &Temporal,
    query: String,
    limit: usize,
    next_page_token: Vec<u8>,
) -> Result<ListSchedulesResponse> {
    let request = ListSchedulesRequest {
        namespace: temporal.namespace().to_owned(),
        maximum_page_size: i32::try_from(limit).unwrap_or(i32::MAX),
        next_page_token,
        query,
    };
    let mut service = temporal.service();
    let listed = service.list_schedules(Request::new(request)).await;
    listed
        .map(|response| response.into_inner())
        .map_err(|status| refusal(&status, ""))
}

/// Whose schedule Temporal knows by `schedule_id`, and what its scope calls it: all in a namespace are its owner's, where it
/// has one.
fn scope_of(own: Option<&Scope>, schedule_id: &str) -> Option<(Scope, String)> {
    match own {
        Some(scope) => Some((scope.clone(), schedule_id.to_owned())),
        None => {
            let (scope, id) = Scope::of_temporal_id(schedule_id)?;
            Some((scope, id.to_string()))
        }
    }
}

/// What a caller is told when Temporal refuses something of the schedule `id`.
fn refused(status: &GrpcStatus, id: &ScheduleId) -> Error {
    let error = match status.code() {
        GrpcCode::NotFound => Error::new(
            Code::ScheduleNotFound,
            format!("there is no schedule {id}: make it with tenterhook schedule put"),
        ),
        GrpcCode::InvalidArgument => Error::new(
            Code::ScheduleInvalid,
            format!("Temporal refuses schedule {id}: {}", status.message()),
        ),
        _ => return refusal(status, id.as_str()),
    };
    error.caused_by(status.clone())
}
