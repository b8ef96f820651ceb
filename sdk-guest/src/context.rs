//! What a running activity knows of itself, and what it says to the host.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ActivityError;
use crate::generated::exports::tenterhook::plugin::activities::TaskInfo;
use crate::generated::tenterhook::plugin::activity_context;
use crate::payload::{self, Payload};

pub use crate::generated::tenterhook::plugin::activity_context::Cancellation;

/// Facts about one attempt; they do not change while it runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ActivityInfo {
    /// The activity's id in its workflow.
    pub activity_id: String,
    /// The workflow that asked for it, by the id its caller gave.
    pub workflow_id: String,
    /// The run of that workflow.
    pub run_id: String,
    /// The type of that workflow.
    pub workflow_type: String,
    /// Whose work this is.
    pub tenant: String,
    /// In which of the tenant's worlds.
    pub environment: String,
    /// The plugin this code is uploaded as.
    pub plugin: String,
    /// The first attempt is 1.
    pub attempt: u32,
    /// When the workflow asked for it.
    pub scheduled_at: SystemTime,
    /// When the host ends this attempt.
    pub deadline: SystemTime,
    /// The longest pause between heartbeats, if the workflow set one.
    pub heartbeat_timeout: Option<Duration>,
    /// The same for every attempt of this activity, different for every other activity.
    pub idempotency_key: String,
    /// A local activity cannot heartbeat.
    pub local: bool,
}

impl From<TaskInfo> for ActivityInfo {
    fn from(info: TaskInfo) -> Self {
        let instant = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        Self {
            activity_id: info.activity_id,
            workflow_id: info.workflow_id,
            run_id: info.run_id,
            workflow_type: info.workflow_type,
            tenant: info.tenant,
            environment: info.environment,
            plugin: info.plugin,
            attempt: info.attempt,
            scheduled_at: instant(info.scheduled_at),
            deadline: instant(info.deadline),
            heartbeat_timeout: info.heartbeat_timeout.map(Duration::from_millis),
            idempotency_key: info.idempotency_key,
            local: info.local,
        }
    }
}

/// One attempt of an activity, as its function sees it.
#[derive(Debug)]
pub struct ActivityContext {
    info: ActivityInfo,
    heartbeat_details: Vec<Payload>,
}

impl ActivityContext {
    pub(crate) fn new(info: TaskInfo, heartbeat_details: Vec<Payload>) -> Self {
        Self {
            info: info.into(),
            heartbeat_details,
        }
    }

    /// Facts about this attempt.
    #[must_use]
    pub fn info(&self) -> &ActivityInfo {
        &self.info
    }

    /// Whose work this is and in which world, as the host writes it: `acme/production`.
    #[must_use]
    pub fn scope(&self) -> String {
        format!("{}/{}", self.info.tenant, self.info.environment)
    }

    /// Which attempt this is; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.info.attempt
    }

    /// When the host ends this attempt, whatever the activity is doing.
    #[must_use]
    pub fn deadline(&self) -> SystemTime {
        self.info.deadline
    }

    /// The time left until [`deadline`](Self::deadline); zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.info
            .deadline
            .duration_since(SystemTime::now())
            .unwrap_or_default()
    }

    /// The key to give to providers: the same for every attempt of this activity, so that a repeated call is
    /// answered with the first result.
    #[must_use]
    pub fn idempotency_key(&self) -> &str {
        &self.info.idempotency_key
    }

    /// Says that the attempt is alive, and keeps `details` for the next attempt. Cheap: the host throttles.
    ///
    /// # Errors
    /// `ValidationError` if `details` cannot be encoded.
    pub fn heartbeat<T>(&self, details: &T) -> Result<(), ActivityError>
    where
        T: Serialize + 'static,
    {
        let payload = payload::encode(details).map_err(|error| {
            ActivityError::validation("the heartbeat's details cannot be encoded")
                .with_source(&error)
        })?;
        activity_context::heartbeat(&[payload]);
        Ok(())
    }

    /// What the last heartbeat of the attempt before carried; `None` if there was none.
    ///
    /// # Errors
    /// `ValidationError` if the details are no `T`: another release may have written them.
    pub fn heartbeat_details<T>(&self) -> Result<Option<T>, ActivityError>
    where
        T: DeserializeOwned + 'static,
    {
        if self.heartbeat_details.is_empty() {
            return Ok(None);
        }
        payload::decode(self.heartbeat_details.clone())
            .map(Some)
            .map_err(|error| {
                ActivityError::validation("the last heartbeat's details are of another type")
                    .with_source(&error)
            })
    }

    /// Why the host wants the attempt to end, once it does. Cancellation reaches an attempt by its heartbeats.
    #[must_use]
    pub fn cancelled(&self) -> Option<Cancellation> {
        activity_context::cancelled()
    }

    /// Ends the attempt with `?` once the host wants it to end.
    ///
    /// # Errors
    /// [`ActivityError::cancelled`] if [`cancelled`](Self::cancelled) says so.
    pub fn check_cancelled(&self) -> Result<(), ActivityError> {
        match self.cancelled() {
            Some(reason) => Err(ActivityError::cancelled(reason)),
            None => Ok(()),
        }
    }
}
