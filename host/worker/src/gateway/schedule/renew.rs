//! Contexts of schedules, signed anew as soon as another key signs: a schedule lives for years, and with a retired key
//! nothing soon begins.

use std::time::Duration;

use temporalio_client::{grpc::WorkflowService as _, tonic::Request};
use temporalio_protos::temporal::api::{
    common::v1::Payload,
    schedule::v1::{Schedule as ProtoSchedule, schedule_action::Action as ProtoAction},
    workflowservice::v1::UpdateScheduleRequest,
};
use tenterhook_domain::{Code, Result, ScheduleId, Scope, context::HEADER};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{super::Gateway, LISTED_MAX, describe_schedule, list_schedules, refused, scope_of};
use crate::{connection::Temporal, context_keys::LOOK_EVERY, gateway::millis, payload};

/// Every host looks at all schedules when it starts, when another key signs, and then so often.
const EVERY: Duration = Duration::from_secs(3_600);
/// After a round that failed half-way, the next one comes sooner.
const AGAIN: Duration = Duration::from_secs(30);

impl Gateway {
    /// Looks after the contexts of all schedules until `stop`. Any number of hosts may do so at once.
    pub async fn keep_schedules_signed(self: std::sync::Arc<Self>, stop: CancellationToken) {
        loop {
            let key = self.keys.signing_id();
            let round = self.renew_all();
            let done = tokio::select! {
                done = round => done,
                () = stop.cancelled() => return,
            };
            let pause = match done {
                Ok(0) => EVERY,
                Ok(renewed) => {
                    tracing::info!(
                        renewed,
                        "contexts of schedules were signed with the newest key"
                    );
                    EVERY
                }
                Err(error) => {
                    tracing::warn!(
                        code = %error.code(), cause = error.source_text(),
                        "contexts of schedules could not be looked at, which is tried again: {error}"
                    );
                    AGAIN
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = self.signs_with_other_than(&key) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Until another key signs than `key`.
    async fn signs_with_other_than(&self, key: &str) {
        while self.keys.signing_id() == key {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Signs what is signed with an older key. Says how many.
    async fn renew_all(&self) -> Result<usize> {
        let mut renewed = 0;
        for (temporal, own) in self.directory.namespaces().await? {
            renewed += self.renew_in(&temporal, own.as_ref()).await?;
        }
        Ok(renewed)
    }

    async fn renew_in(&self, temporal: &Temporal, own: Option<&Scope>) -> Result<usize> {
        let (mut renewed, mut token) = (0, Vec::new());
        loop {
            let listed = list_schedules(temporal, String::new(), LISTED_MAX, token).await?;
            for entry in listed.schedules {
                let Some((scope, id)) = scope_of(own, &entry.schedule_id) else {
                    continue;
                };
                let Ok(id) = id.parse::<ScheduleId>() else {
                    continue;
                };
                match self.renew(temporal, &entry.schedule_id, &id).await {
                    Ok(done) => renewed += usize::from(done),
                    // Taken away since it was listed.
                    Err(error) if error.code() == Code::ScheduleNotFound => {}
                    Err(error) if is_refused(error.code()) => tracing::warn!(
                        code = %error.code(), %scope, schedule = %id,
                        "what a schedule starts is refused, put the schedule again: {error}"
                    ),
                    Err(error) => return Err(error),
                }
            }
            token = listed.next_page_token;
            if token.is_empty() {
                return Ok(renewed);
            }
        }
    }

    async fn renew(&self, temporal: &Temporal, schedule_id: &str, id: &ScheduleId) -> Result<bool> {
        let described = describe_schedule(temporal, schedule_id, id).await?;
        let mut schedule = described.schedule.unwrap_or_default();
        // What has no context of ours is not ours.
        let Some(context) = context_of(&mut schedule) else {
            return Ok(false);
        };
        let text = serde_json::from_slice::<String>(&context.data).unwrap_or_default();
        let info = described.info.unwrap_or_default();
        let written_at = info.update_time.or(info.create_time).map_or(0, millis);
        let Some(token) = self.keys.renew_schedule(&text, schedule_id, written_at)? else {
            return Ok(false);
        };
        *context = payload::of_json(&token.into());
        let update = UpdateScheduleRequest {
            namespace: temporal.namespace().to_owned(),
            schedule_id: schedule_id.to_owned(),
            schedule: Some(schedule),
            // What somebody changed meanwhile is signed with this key already, or in the next round.
            conflict_token: described.conflict_token,
            identity: temporal.identity().to_owned(),
            request_id: uuid::Uuid::new_v4().to_string(),
            ..Default::default()
        };
        let mut service = temporal.service();
        let updated = service.update_schedule(Request::new(update)).await;
        updated.map_err(|status| refused(&status, id))?;
        Ok(true)
    }
}

/// True if a context is refused for what it is.
fn is_refused(code: Code) -> bool {
    matches!(code, Code::ContextInvalid | Code::ContextKeyUnknown)
}

fn context_of(schedule: &mut ProtoSchedule) -> Option<&mut Payload> {
    let action = schedule.action.as_mut()?.action.as_mut()?;
    let ProtoAction::StartWorkflow(starts) = action;
    starts.header.as_mut()?.fields.get_mut(HEADER)
}
