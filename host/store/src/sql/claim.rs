//! Claims on releases that are checked, in the database.

use tenterhook_domain::{
    Code, Error, Result, audit::Author, check::Progress, release::Release, rollout::Move,
};

use super::{
    BindAt as _, Db, LOCK_AND_SKIP, failed,
    line::{Step, apply},
    number,
    plugin::lock,
    release::{find, read_key},
    to_json,
};
use crate::{Checked, Findings, ReleaseKey};

/// A claim, and who says to hold it.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) key: &'a ReleaseKey,
    pub(super) host: &'a str,
}

pub(super) async fn claim(
    db: &Db,
    host: &str,
    until_millis: u64,
    now_millis: u64,
) -> Result<Option<ReleaseKey>> {
    let found: Option<(String, String, String, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "UPDATE releases SET lease_host = $1, lease_until = $2 WHERE number = ( \
           SELECT number FROM releases \
           WHERE state IN ('uploaded', 'checked') AND (lease_host IS NULL OR lease_until < $3) \
           ORDER BY number LIMIT 1{LOCK_AND_SKIP}) \
         RETURNING tenant, environment, plugin, digest"
        )))
        .bind(host)
        .bind(number(until_millis))
        .bind(number(now_millis))
        .fetch_optional(&db.writer)
        .await
        .map_err(failed("claim a release"))?;
    found.map(read_key).transpose()
}

pub(super) async fn report(
    db: &Db,
    key: &ReleaseKey,
    host: &str,
    progress: &Progress,
    until_millis: u64,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE releases SET progress = $1, lease_until = $2 \
         WHERE tenant = $3 AND environment = $4 AND plugin = $5 AND digest = $6 AND lease_host = $7",
    )
    .bind(to_json(progress)?)
    .bind(number(until_millis))
    .bind_at((&key.scope, &key.plugin))
    .bind(key.digest.to_string())
    .bind(host)
    .execute(&db.writer)
    .await
    .map_err(failed("report progress"))?;
    Ok(done.rows_affected() > 0)
}

/// Writes the findings of the host that holds the claim; `over` ends it.
async fn write_findings(
    connection: &mut super::Connection,
    Held { key, host }: Held<'_>,
    findings: &Findings,
    over: bool,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE releases SET version = $1, metadata = $2, checks = $3, replay = $4, \
         progress = CASE WHEN $5 THEN NULL ELSE progress END, \
         lease_host = CASE WHEN $5 THEN NULL ELSE lease_host END \
         WHERE tenant = $6 AND environment = $7 AND plugin = $8 AND digest = $9 AND lease_host = $10",
    )
    .bind(findings.version.as_deref())
    .bind(to_json(&findings.metadata)?)
    .bind(to_json(&findings.checks)?)
    .bind(findings.replay.as_ref().map(to_json).transpose()?)
    .bind(over)
    .bind_at((&key.scope, &key.plugin))
    .bind(key.digest.to_string())
    .bind(host)
    .execute(connection)
    .await
    .map_err(failed("write what was found"))?;
    if done.rows_affected() == 0 {
        return Err(Error::new(
            Code::ReleaseStateConflict,
            format!("another host checks release {}", key.digest),
        ));
    }
    Ok(())
}

pub(super) async fn conclude(
    db: &Db,
    held: Held<'_>,
    findings: &Findings,
    checked: Checked,
    author: &Author,
    now: u64,
) -> Result<Release> {
    let (scope, plugin, digest) = (&held.key.scope, &held.key.plugin, held.key.digest);
    let mut transaction = db.write().await?;
    lock(&mut transaction, (scope, plugin)).await?;
    let over = checked != Checked::Component;
    write_findings(&mut transaction, held, findings, over).await?;
    let r#move = match checked {
        Checked::Component => Move::Sound(digest),
        Checked::Passed => Move::Admit(digest),
        Checked::Refused => Move::Refuse(digest),
    };
    let step = Step {
        at: (scope, plugin),
        expected: None,
        author,
        now,
    };
    apply(&mut transaction, &step, r#move).await?;
    let stored = find(&mut transaction, scope, plugin, &digest).await?;
    db.tell(transaction, scope, plugin).await?;
    Ok(stored)
}
