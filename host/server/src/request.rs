//! What handlers read of a request, each refusal a problem.

mod body;
mod duration;
mod path;

pub(crate) use body::{Json, JsonOrNothing, given, upload};
pub(crate) use duration::duration;
pub(crate) use path::{
    AtMessage, AtPlugin, AtRelease, AtScope, AtTenant, AtToken, AtWorkflow, path_invalid,
};

use std::time::Duration;

use axum::extract::{FromRequestParts, Query as AxumQuery};
use http::request::Parts;
use serde::{Deserialize, de::DeserializeOwned};
use tenterhook_domain::{Code, Error, Result};
use tenterhook_store::{Cursor, PAGE_ITEMS_MAX};

use crate::problem::Problem;

pub use body::JSON_BYTES_MAX;

/// Longest wait that a caller may ask for.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// Entries of a page unless the caller says otherwise.
pub const PAGE_DEFAULT: usize = 100;

/// The query of a request; unknown parameters are refused by `T`.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let AxumQuery(query) =
            AxumQuery::from_request_parts(parts, state)
                .await
                .map_err(|rejection| {
                    Error::new(
                        Code::RequestInvalid,
                        format!("the query cannot be read: {}", rejection.body_text()),
                    )
                })?;
        Ok(Self(query))
    }
}

/// `?wait=5s`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitQuery {
    wait: Option<String>,
}

impl WaitQuery {
    /// How long to wait, if the caller asks for it.
    pub(crate) fn wait(&self) -> Result<Option<Duration>> {
        let Some(text) = &self.wait else {
            return Ok(None);
        };
        let wait = duration("wait", text)?;
        if wait > WAIT_MAX {
            return Err(Error::new(
                Code::RequestInvalid,
                format!("wait cannot be {text:?}: {} s at most", WAIT_MAX.as_secs()),
            ));
        }
        Ok(Some(wait))
    }
}

/// `?limit=100&cursor=…`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn limit(&self) -> Result<usize> {
        checked_limit(self.limit)
    }

    pub(crate) fn cursor(&self) -> Result<Cursor<'_>> {
        Ok(Cursor {
            after: self.cursor.as_deref(),
            limit: self.limit()?,
        })
    }

    pub(crate) fn into_cursor(self) -> Option<String> {
        self.cursor
    }
}

/// `?limit=100&after=12`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    limit: Option<usize>,
    #[serde(default)]
    pub(crate) after: u64,
}

impl HistoryQuery {
    pub(crate) fn limit(&self) -> Result<usize> {
        checked_limit(self.limit)
    }
}

fn checked_limit(limit: Option<usize>) -> Result<usize> {
    match limit {
        None => Ok(PAGE_DEFAULT),
        Some(limit) if (1..=PAGE_ITEMS_MAX).contains(&limit) => Ok(limit),
        Some(limit) => Err(Error::new(
            Code::RequestInvalid,
            format!("limit cannot be {limit}: use 1 to {PAGE_ITEMS_MAX}"),
        )),
    }
}
