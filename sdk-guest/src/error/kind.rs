//! The taxonomy itself: types of failure, their names, and what is retried.

use std::borrow::Cow;
use std::time::Duration;

/// The type name of the failure by which an activity says: I end because the host asked me to. The host reports
/// the attempt as cancelled, not as failed, if it did ask.
pub const CANCELED_TYPE: &str = "Canceled";

/// The type of a failure. Its [`name`](Self::name) is the type on Temporal's ApplicationFailure.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// State could not be read or written. Retried.
    Database,
    /// No answer: the connection was refused, cut, or too slow. Retried.
    Network,
    /// The other side answered that it is broken (5xx). Retried.
    ExternalService,
    /// The other side asked for a pause. Retried after it.
    RateLimited,
    /// What was asked for is wrong, and stays wrong. Not retried.
    Validation,
    /// Not allowed. Not retried.
    Authorization,
    /// What was asked for does not exist. Not retried.
    NotFound,
    /// What was asked for contradicts what is. Not retried.
    Conflict,
    /// The attempt ends because the host wanted it to.
    Cancelled,
    /// A plugin's own type, for example `PaymentDeclined`. Retried unless
    /// [`non_retryable`](ActivityError::non_retryable) is said.
    Custom(Cow<'static, str>),
}

/// How often and how soon a type of failure is worth another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPreset {
    /// Attempts in all.
    pub attempts: u32,
    /// The pause before the second attempt.
    pub initial: Duration,
}

impl ErrorKind {
    /// The type name that retry policies and callers match on.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Database => "DatabaseError",
            Self::Network => "NetworkError",
            Self::ExternalService => "ExternalServiceError",
            Self::RateLimited => "RateLimited",
            Self::Validation => "ValidationError",
            Self::Authorization => "AuthorizationError",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::Cancelled => CANCELED_TYPE,
            Self::Custom(name) => name,
        }
    }

    /// Whether another attempt can help, unless the error says otherwise.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database | Self::Network | Self::ExternalService | Self::RateLimited => true,
            Self::Custom(_) => true,
            Self::Validation
            | Self::Authorization
            | Self::NotFound
            | Self::Conflict
            | Self::Cancelled => false,
        }
    }

    /// The attempts that this type of failure usually deserves. The retry policy of the call decides; see
    /// [`presets`](crate::presets).
    #[must_use]
    pub fn retry_preset(&self) -> Option<RetryPreset> {
        let preset = |attempts, seconds| {
            Some(RetryPreset {
                attempts,
                initial: Duration::from_secs(seconds),
            })
        };
        match self {
            Self::Database => preset(3, 1),
            Self::Network => preset(5, 2),
            Self::ExternalService => preset(3, 5),
            _ => None,
        }
    }
}
