//! What the databases share.
//!
//! The statements and the reading of rows stand in `sql/tables.rs` and the files below it, which are compiled once for
//! each database: SQLite reads PostgreSQL's `$1` too, and what differs comes from the module that includes them (see
//! `sqlite.rs` and `postgres.rs`). So there is one text of every statement, and each is checked against its database's
//! own types.

use tenterhook_domain::{Code, Error, Result};

use crate::Cursor;

/// PostgreSQL's word for a text that it cannot hold: one with a NUL character.
const NOT_A_TEXT: &str = "22021";
/// How PostgreSQL's words begin for a connection that it ends or does not take now.
const AWAY: [&str; 4] = ["08", "57P", "53300", "55000"];

/// Runs `work` to its end even if the caller goes away half-way: a change that is committed must be told.
pub(crate) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.map_err(|error| {
        Error::new(Code::Internal, "a write to the store did not end").caused_by(error)
    })?
}

/// The error for a statement that failed while the store was to `action`.
pub(crate) fn failed(action: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |error| {
        let code = error.as_database_error().and_then(|error| error.code());
        if is_away(&error, code.as_deref()) {
            let detail = format!("the store could not {action}: its database does not answer");
            return Error::new(Code::StoreUnavailable, detail).caused_by(error);
        }
        if code.as_deref() == Some(NOT_A_TEXT) {
            return Error::new(
                Code::RequestInvalid,
                format!("the store could not {action}: a text has a NUL character, leave it out"),
            );
        }
        Error::new(Code::StoreFailed, format!("the store could not {action}")).caused_by(error)
    }
}

/// True if the database was not reached, whatever it was asked.
fn is_away(error: &sqlx::Error, code: Option<&str>) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls};
    matches!(error, Io(_) | Tls(_) | PoolTimedOut | PoolClosed)
        || code.is_some_and(|code| AWAY.iter().any(|away| code.starts_with(away)))
}

/// The error for a row that holds what this version cannot read.
pub(crate) fn unreadable<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl Fn(E) -> Error {
    move |error| {
        Error::new(
            Code::StoreFailed,
            format!("the store holds {what} that cannot be read"),
        )
        .caused_by(error)
    }
}

/// The error for tables that could not be brought up to date.
pub(crate) fn not_migrated(error: sqlx::migrate::MigrateError) -> Error {
    Error::new(
        Code::StoreFailed,
        "the database cannot be brought up to date: it may be a newer version's",
    )
    .caused_by(error)
}

/// A number as databases have them: times, sizes, counts.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is kept as JSON.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(Code::Internal, "what is to be stored does not serialise").caused_by(error)
    })
}

/// The row's number that the cursor of a list by number holds; none for the first page.
pub(crate) fn place(cursor: Cursor<'_>) -> Result<Option<i64>> {
    let read = |text: &str| {
        text.parse().map_err(|_| {
            let start: String = text.chars().take(64).collect();
            Error::new(
                Code::RequestInvalid,
                format!("{start:?} is not the cursor of this list"),
            )
        })
    };
    cursor.after.map(read).transpose()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_by_number_is_read_or_refused() {
        let cursor = |after| Cursor { after, limit: 1 };
        assert_eq!(place(Cursor::FIRST).unwrap(), None);
        assert_eq!(place(cursor(Some("7"))).unwrap(), Some(7));
        for text in ["", "x", "7 ", "99999999999999999999"] {
            let refused = place(cursor(Some(text))).unwrap_err();
            assert_eq!(refused.code(), Code::RequestInvalid, "{text:?}");
        }
    }
}
