//! The taxonomy itself: types of failure, their names, and what is retried.

use std::borrow::Cow;

/// The type name of the failure by which an activity says: I end because the host asked me to. The host reports
/// the attempt as cancelled, not as failed, if it did ask.
pub const CANCELED_TYPE: &str = "Canceled";

/// The type of a failure. Its [`name`](Self::name) is the type on Temporal's ApplicationFailure.
///
/// A type says whether another attempt can help. How many there are, and when, says the retry policy of the call, which
/// is one for all types: [`Retry`](crate::presets::Retry) has a preset for what an activity usually fails by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// State could not be read or written. Retried; [`Retry::Database`](crate::presets::Retry::Database) is made for it.
    Database,
    /// No answer: the connection was refused, cut, or too slow. Retried; [`Retry::Network`](crate::presets::Retry::Network)
    /// is made for it.
    Network,
    /// The other side answered that it is broken (5xx), or the host leaves it alone because it keeps failing. Retried;
    /// [`Retry::ExternalService`](crate::presets::Retry::ExternalService) is made for it.
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
}
