//! Queries of requests; unknown parameters are refused.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query as AxumQuery};
use http::request::Parts;
use serde::{Deserialize, de::DeserializeOwned};
use tenterhook_domain::{Code, Digest, Error, Result, execution::Only};
use tenterhook_store::{Cursor, PAGE_ITEMS_MAX};
use utoipa::IntoParams;

use super::duration;
use crate::problem::Problem;

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
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaitQuery {
    /// How long to wait, 60 s at most: `250ms`, `5s`, `1m`.
    #[param(pattern = "^([0-9]{1,4}ms|[1-5]?[0-9]s|1m|0m)$", nullable = false)]
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
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// Entries of the page, 100 unless given.
    #[param(minimum = 1, maximum = 1_000, nullable = false)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn limit(&self) -> Result<usize> {
        checked_limit(self.limit)
    }

    pub(crate) fn into_cursor(self) -> Option<String> {
        self.cursor
    }

    pub(crate) fn cursor(&self) -> Result<Cursor<'_>> {
        cursor(self.limit, self.cursor.as_deref())
    }
}

/// `?unpinned=true&limit=100&cursor=…`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkflowsQuery {
    /// Only executions that no release is written down for: those that began without this host, and those without a first
    /// task yet. A page of them may have fewer entries than `limit`, also where more follow.
    #[serde(default)]
    unpinned: bool,
    /// Entries of the page, 100 unless given.
    #[param(minimum = 1, maximum = 1_000, nullable = false)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl WorkflowsQuery {
    pub(crate) fn limit(&self) -> Result<usize> {
        checked_limit(self.limit)
    }

    pub(crate) fn only(&self) -> Only {
        match self.unpinned {
            true => Only::Unpinned,
            false => Only::All,
        }
    }

    pub(crate) fn into_cursor(self) -> Option<String> {
        self.cursor
    }
}

/// The same for lists whose cursors are numbers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct NumberedQuery {
    /// Entries of the page, 100 unless given.
    #[param(minimum = 1, maximum = 1_000, nullable = false)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$", nullable = false)]
    cursor: Option<String>,
}

impl NumberedQuery {
    pub(crate) fn cursor(&self) -> Result<Cursor<'_>> {
        cursor(self.limit, self.cursor.as_deref())
    }
}

/// Which part of the audit log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditQuery {
    /// Entries of one release only.
    #[param(pattern = "^sha256:[0-9a-f]{64}$", nullable = false)]
    digest: Option<String>,
    /// Entries of the page, 100 unless given.
    #[param(minimum = 1, maximum = 1_000, nullable = false)]
    limit: Option<usize>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$", nullable = false)]
    cursor: Option<String>,
}

impl AuditQuery {
    pub(crate) fn cursor(&self) -> Result<Cursor<'_>> {
        cursor(self.limit, self.cursor.as_deref())
    }

    pub(crate) fn digest(&self) -> Result<Option<Digest>> {
        self.digest.as_deref().map(str::parse).transpose()
    }
}

/// `?against=sha256:…`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgainstQuery {
    /// The release to compare with.
    #[param(pattern = "^sha256:[0-9a-f]{64}$")]
    against: String,
}

impl AgainstQuery {
    pub(crate) fn digest(&self) -> Result<Digest> {
        self.against.parse()
    }
}

/// `?limit=100&after=12`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// Events of the page, 100 unless given.
    #[param(minimum = 1, maximum = 1_000, nullable = false)]
    limit: Option<usize>,
    /// Events after this number only.
    #[serde(default)]
    #[param(maximum = 9_007_199_254_740_991_u64)]
    pub(crate) after: u64,
}

impl HistoryQuery {
    pub(crate) fn limit(&self) -> Result<usize> {
        checked_limit(self.limit)
    }
}

fn cursor(limit: Option<usize>, after: Option<&str>) -> Result<Cursor<'_>> {
    Ok(Cursor {
        after,
        limit: checked_limit(limit)?,
    })
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
