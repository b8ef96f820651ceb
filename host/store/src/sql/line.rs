//! Lines of plugins in the database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    audit::Author,
    release::ReleaseState,
    rollout::{Line, Move},
};

use super::{
    At, BindAt as _, Connection, Db, LOCK, audit, failed, number, plugin::why_missing, read_digest,
    read_json, read_scope, to_json, to_the_end, unreadable,
};
use crate::Lines;

/// The columns of a line.
pub(super) const COLUMNS: &str = "current, previous, rollout, revision";

#[derive(FromRow)]
pub(super) struct Row {
    current: Option<String>,
    previous: Option<String>,
    rollout: Option<String>,
    revision: i64,
}

impl Row {
    pub(super) fn read(self) -> Result<(Line, u64)> {
        let rollout = self.rollout.map(|json| read_json(&json, "a rollout"));
        let line = Line {
            current: read_digest(self.current)?,
            previous: read_digest(self.previous)?,
            rollout: rollout.transpose()?,
        };
        Ok((line, self.revision.unsigned_abs()))
    }
}

/// A move inside a transaction: whose, and who makes it.
pub(super) struct Step<'a> {
    pub(super) at: At<'a>,
    pub(super) expected: Option<u64>,
    pub(super) author: &'a Author,
    pub(super) now: u64,
}

/// What a move came to.
pub(super) struct Applied {
    pub(super) line: Line,
    pub(super) revision: u64,
    /// False when nothing is decided otherwise than before: nobody needs to hear of it.
    pub(super) tell: bool,
}

async fn read(
    connection: &mut Connection,
    (scope, plugin): At<'_>,
    lock: &'static str,
) -> Result<(Line, u64)> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM plugins \
         WHERE tenant = $1 AND environment = $2 AND plugin = $3{lock}"
    )))
    .bind_at((scope, plugin))
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read a plugin"))?;
    match row {
        Some(row) => row.read(),
        None => Err(why_missing(connection, scope, plugin).await),
    }
}

async fn states(
    connection: &mut Connection,
    (scope, plugin): At<'_>,
) -> Result<BTreeMap<Digest, ReleaseState>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT digest, state FROM releases WHERE tenant = $1 AND environment = $2 AND plugin = $3",
    )
    .bind_at((scope, plugin))
    .fetch_all(connection)
    .await
    .map_err(failed("read releases"))?;
    rows.into_iter()
        .map(|(digest, state)| {
            Ok((
                digest.parse().map_err(unreadable("a digest"))?,
                state.parse().map_err(unreadable("a state"))?,
            ))
        })
        .collect()
}

async fn write_line(
    connection: &mut Connection,
    (scope, plugin): At<'_>,
    line: &Line,
    revision: u64,
) -> Result<()> {
    let rollout = line.rollout.as_ref().map(to_json).transpose()?;
    sqlx::query(
        "UPDATE plugins SET current = $1, previous = $2, rollout = $3, revision = $4 \
         WHERE tenant = $5 AND environment = $6 AND plugin = $7",
    )
    .bind(line.current.map(|digest| digest.to_string()))
    .bind(line.previous.map(|digest| digest.to_string()))
    .bind(rollout)
    .bind(number(revision))
    .bind_at((scope, plugin))
    .execute(connection)
    .await
    .map_err(failed("change a plugin"))?;
    Ok(())
}

async fn write_states(
    connection: &mut Connection,
    (scope, plugin): At<'_>,
    states: &BTreeMap<Digest, ReleaseState>,
    now: u64,
) -> Result<()> {
    for (digest, state) in states {
        sqlx::query(
            "UPDATE releases SET state = $1, state_at = $2 \
             WHERE tenant = $3 AND environment = $4 AND plugin = $5 AND digest = $6",
        )
        .bind(state.as_str())
        .bind(number(now))
        .bind_at((scope, plugin))
        .bind(digest.to_string())
        .execute(&mut *connection)
        .await
        .map_err(failed("change a release"))?;
    }
    Ok(())
}

/// Makes a move inside a transaction: all of it, or nothing.
pub(super) async fn apply(
    connection: &mut Connection,
    step: &Step<'_>,
    r#move: Move,
) -> Result<Applied> {
    let (before, revision) = read(connection, step.at, LOCK).await?;
    let (scope, plugin) = step.at;
    if let Some(expected) = step.expected.filter(|&expected| expected != revision) {
        return Err(Error::new(
            Code::PreconditionFailed,
            format!(
                "plugin {plugin} of {scope} is at revision {revision}, not {expected}: read it again, and decide anew"
            ),
        ));
    }
    let states = states(connection, step.at).await?;
    let mut line = before.clone();
    let moved = line.apply(&states, r#move, step.now)?;
    // What the guard saw is no decision: an operator's `If-Match` stays good while a ramp is watched.
    let tell = !moved.states.is_empty() || !line.decides_as(&before);
    let revision = revision + u64::from(tell);
    if line != before || tell {
        write_line(connection, step.at, &line, revision).await?;
    }
    write_states(connection, step.at, &moved.states, step.now).await?;
    audit::write(connection, step.at, &moved.audit, step.author, step.now).await?;
    Ok(Applied {
        line,
        revision,
        tell,
    })
}

#[async_trait]
impl Lines for Db {
    async fn line(&self, scope: &Scope, plugin: &PluginName) -> Result<(Line, u64)> {
        let mut connection = self.reader().await?;
        read(&mut connection, (scope, plugin), "").await
    }

    async fn apply(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        r#move: Move,
        expected: Option<u64>,
        author: &Author,
        now_millis: u64,
    ) -> Result<(Line, u64)> {
        let (this, scope, plugin, author) =
            (self.clone(), scope.clone(), plugin.clone(), author.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let step = Step {
                at: (&scope, &plugin),
                expected,
                author: &author,
                now: now_millis,
            };
            let applied = apply(&mut transaction, &step, r#move).await?;
            if applied.tell {
                this.tell(transaction, &scope, &plugin).await?;
            } else {
                transaction
                    .commit()
                    .await
                    .map_err(failed("change a plugin"))?;
            }
            Ok((applied.line, applied.revision))
        })
        .await
    }

    async fn ramping(&self) -> Result<Vec<(Scope, PluginName)>> {
        // Stopped ramps stay for people to read, at most one a plugin: they are told apart here.
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT tenant, environment, plugin, rollout FROM plugins WHERE rollout IS NOT NULL",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed("look for ramps"))?;
        let mut ramping = Vec::new();
        for (tenant, environment, plugin, rollout) in rows {
            let rollout: tenterhook_domain::rollout::Rollout = read_json(&rollout, "a rollout")?;
            if rollout.halted.is_none() {
                let plugin = plugin.parse().map_err(unreadable("a plugin"))?;
                ramping.push((read_scope(&tenant, &environment)?, plugin));
            }
        }
        Ok(ramping)
    }
}
