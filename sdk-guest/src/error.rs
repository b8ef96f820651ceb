//! How an activity fails: one taxonomy for all plugins, so that callers and retry policies can rely on the names.

mod from;
mod kind;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::time::Duration;

use serde::Serialize;

pub use kind::{CANCELED_TYPE, ErrorKind};

use crate::context::Cancellation;
use crate::generated::tenterhook::plugin::values::{Failure, FailureLink};
use crate::payload::{self, Payload};

/// The most links of a failure's chain that are kept below the failure itself.
const CAUSES_MAX: usize = 16;

/// A failed attempt: what went wrong, of which type, why, and whether another attempt is made.
#[derive(Debug)]
pub struct ActivityError(Box<Facts>);

/// Boxed, for every result of an activity has room for it.
#[derive(Debug)]
struct Facts {
    kind: ErrorKind,
    message: String,
    details: Vec<Payload>,
    place: &'static Location<'static>,
    causes: Vec<FailureLink>,
    retryable: bool,
    next_retry_delay: Option<Duration>,
    benign: bool,
}

/// One constructor for each type of the taxonomy.
macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(message: impl Into<String>) -> Self {
            Self::new(ErrorKind::$kind, message)
        }
    )*};
}

impl ActivityError {
    constructors! {
        /// State could not be read or written.
        database => Database;
        /// No answer from the other side.
        network => Network;
        /// The other side is broken.
        external_service => ExternalService;
        /// The other side asked for a pause; say how long with [`retry_after`](Self::retry_after).
        rate_limited => RateLimited;
        /// What was asked for is wrong, and stays wrong.
        validation => Validation;
        /// Not allowed.
        authorization => Authorization;
        /// What was asked for does not exist.
        not_found => NotFound;
        /// What was asked for contradicts what is.
        conflict => Conflict;
    }

    /// A failure of the given type, with that type's retryability.
    #[track_caller]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            retryable: kind.is_retryable(),
            kind,
            message: message.into(),
            details: Vec::new(),
            place: Location::caller(),
            causes: Vec::new(),
            next_retry_delay: None,
            benign: false,
        }))
    }

    /// A failure of the plugin's own type, retried unless [`non_retryable`](Self::non_retryable) is said.
    #[track_caller]
    pub fn custom(type_name: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Custom(type_name.into()), message)
    }

    /// The attempt ends because the host wanted it to.
    #[track_caller]
    pub fn cancelled(reason: Cancellation) -> Self {
        let why = match reason {
            Cancellation::Requested => "the workflow cancelled the activity",
            Cancellation::NotFound => "the activity no longer exists",
            Cancellation::TimedOut => "the attempt's time is over",
            Cancellation::WorkerShutdown => "the host is shutting down",
            Cancellation::Paused => "the activity was paused",
            Cancellation::Reset => "the activity was reset",
        };
        let mut error = Self::new(ErrorKind::Cancelled, why);
        // Only the workflow's own wish is final; after a shutdown, pause or reset another attempt is due.
        error.0.retryable = !matches!(reason, Cancellation::Requested);
        error
    }

    /// No further attempt is made, whatever the retry policy says.
    #[must_use]
    pub fn non_retryable(mut self) -> Self {
        self.0.retryable = false;
        self
    }

    /// The retry policy decides about further attempts, whatever the type says.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// The next attempt is made after `delay` (counted in milliseconds), in place of the retry policy's interval.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.next_retry_delay = Some(delay);
        self
    }

    /// An expected outcome: logged quietly and left out of the error metrics.
    #[must_use]
    pub fn benign(mut self) -> Self {
        self.0.benign = true;
        self
    }

    /// Adds a value for the caller; a value that cannot be encoded is left out, for the failure itself matters more.
    #[must_use]
    pub fn with_detail<T: Serialize + 'static>(mut self, value: &T) -> Self {
        self.0.details.extend(payload::encode(value).ok());
        self
    }

    /// Names another activity error, with its type and its own causes, as the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: ActivityError) -> Self {
        let failure = cause.into_failure();
        self.0.causes.push(failure.error);
        self.0.causes.extend(failure.causes);
        self.0.causes.truncate(CAUSES_MAX);
        self
    }

    /// Names any error, and the errors behind it, as the cause.
    #[must_use]
    pub fn with_source<E: Error>(mut self, cause: &E) -> Self {
        self.push_cause(cause.to_string(), short_name(std::any::type_name::<E>()));
        let mut next = cause.source();
        while let Some(error) = next {
            // The type of an error behind a trait object is gone.
            self.push_cause(error.to_string(), "Error");
            next = error.source();
        }
        self
    }

    /// The same with another message.
    pub(crate) fn saying(mut self, message: String) -> Self {
        self.0.message = message;
        self
    }

    /// Names words of another side, which have no type, as the cause.
    pub(crate) fn with_reason(mut self, reason: &str) -> Self {
        self.push_cause(reason.to_owned(), "Error");
        self
    }

    fn push_cause(&mut self, message: String, kind: &str) {
        if self.0.causes.len() < CAUSES_MAX {
            self.0.causes.push(FailureLink {
                message,
                kind: kind.to_owned(),
                details: Vec::new(),
                stack_trace: None,
            });
        }
    }

    /// The type of the failure.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// What went wrong, for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the retry policy may make another attempt.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The pause before the next attempt, if the error names one.
    #[must_use]
    pub fn next_retry_delay(&self) -> Option<Duration> {
        self.0.next_retry_delay
    }

    pub(crate) fn into_failure(self) -> Failure {
        let facts = *self.0;
        let place = facts.place;
        Failure {
            error: FailureLink {
                message: facts.message,
                kind: facts.kind.name().to_owned(),
                details: facts.details,
                stack_trace: Some(format!(
                    "at {}:{}:{}",
                    place.file(),
                    place.line(),
                    place.column()
                )),
            },
            causes: facts.causes,
            non_retryable: !facts.retryable,
            next_retry_delay: facts
                .next_retry_delay
                .map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            benign: facts.benign,
        }
    }
}

/// A type's name without the path to it, and without its parameters.
fn short_name(name: &str) -> &str {
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

impl fmt::Display for ActivityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.name(), self.0.message)
    }
}

impl Error for ActivityError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_taxonomy_says_what_is_retried() {
        let retried = [
            ErrorKind::Database,
            ErrorKind::Network,
            ErrorKind::ExternalService,
            ErrorKind::RateLimited,
        ];
        let kept = [
            ErrorKind::Validation,
            ErrorKind::Authorization,
            ErrorKind::NotFound,
            ErrorKind::Conflict,
        ];
        for kind in retried {
            let failure = ActivityError::new(kind.clone(), "text").into_failure();
            assert!(!failure.non_retryable, "{kind:?}");
        }
        for kind in kept {
            let failure = ActivityError::new(kind.clone(), "text").into_failure();
            assert!(failure.non_retryable, "{kind:?}");
        }
    }

    #[test]
    fn nothing_is_lost_on_the_way_to_the_host() {
        let number = "x".parse::<u32>().expect_err("x is no number");
        let failure = ActivityError::custom("PaymentDeclined", "no money")
            .non_retryable()
            .benign()
            .retry_after(Duration::from_millis(1_500))
            .with_detail(&"card_declined")
            .caused_by(ActivityError::network("cut").with_source(&number))
            .into_failure();
        assert_eq!(failure.error.kind, "PaymentDeclined");
        assert_eq!(failure.error.message, "no money");
        assert_eq!(failure.error.details[0].data, b"\"card_declined\"");
        let place = failure.error.stack_trace.unwrap_or_default();
        assert!(place.contains("error.rs:"), "{place}");
        assert!(failure.non_retryable && failure.benign);
        assert_eq!(failure.next_retry_delay, Some(1_500));
        let causes: Vec<_> = failure
            .causes
            .iter()
            .map(|cause| (cause.kind.as_str(), cause.message.as_str()))
            .collect();
        let expected = [
            ("NetworkError", "cut"),
            ("ParseIntError", "invalid digit found in string"),
        ];
        assert_eq!(causes, expected);
    }

    #[test]
    fn chains_are_bounded() {
        let deep = (0..100).fold(ActivityError::network("bottom"), |cause, level| {
            ActivityError::database(format!("level {level}")).caused_by(cause)
        });
        assert_eq!(deep.into_failure().causes.len(), CAUSES_MAX);
    }

    #[test]
    fn only_the_workflows_own_cancellation_is_final() {
        assert!(!ActivityError::cancelled(Cancellation::Requested).is_retryable());
        assert!(ActivityError::cancelled(Cancellation::WorkerShutdown).is_retryable());
    }
}
