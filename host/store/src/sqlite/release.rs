//! Releases in SQLite.

use async_trait::async_trait;
use sqlx::{FromRow, SqliteConnection};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    audit::Author,
    check::Progress,
    execution::Page,
    release::{Release, ReleaseState},
    rollout::Move,
};

use super::{
    Sqlite, failed,
    line::{apply, write_audit},
    plugin::{ensure, why_missing},
    to_the_end, unreadable,
};
use crate::{Checked, Cursor, Findings, NewRelease, Plugins, ReleaseKey, Releases, Written};

const COLUMNS: &str = "number, digest, version, bytes, uploaded_at, metadata, checks, state, origin, replay, progress";

#[derive(FromRow)]
struct Row {
    number: i64,
    digest: String,
    version: Option<String>,
    bytes: i64,
    uploaded_at: i64,
    metadata: String,
    checks: String,
    state: String,
    origin: String,
    replay: Option<String>,
    progress: Option<String>,
}

impl Row {
    fn read(self) -> Result<Release> {
        Ok(Release {
            digest: self.digest.parse().map_err(unreadable("a digest"))?,
            version: self.version,
            state: self.state.parse().map_err(unreadable("a state"))?,
            bytes: self.bytes.unsigned_abs(),
            uploaded_at: self.uploaded_at.unsigned_abs(),
            origin: self.origin,
            metadata: serde_json::from_str(&self.metadata).map_err(unreadable("metadata"))?,
            checks: serde_json::from_str(&self.checks).map_err(unreadable("checks"))?,
            replay: optional(self.replay, "a replay report")?,
            progress: optional(self.progress, "a progress")?,
        })
    }
}

fn optional<T: serde::de::DeserializeOwned>(
    json: Option<String>,
    what: &'static str,
) -> Result<Option<T>> {
    json.map(|json| serde_json::from_str(&json))
        .transpose()
        .map_err(unreadable(what))
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(Code::Internal, "a release does not serialise").caused_by(error)
    })
}

fn sql_millis(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
    digest: &Digest,
) -> Result<Release> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM releases \
         WHERE tenant = ? AND environment = ? AND plugin = ? AND digest = ?"
    )))
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .bind(digest.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read a release"))?;
    if let Some(row) = row {
        return row.read();
    }
    let plugin_there: Option<(i64,)> =
        sqlx::query_as("SELECT 1 FROM plugins WHERE tenant = ? AND environment = ? AND plugin = ?")
            .bind(scope.tenant.as_str())
            .bind(scope.environment.as_str())
            .bind(plugin.as_str())
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed("read a plugin"))?;
    if plugin_there.is_none() {
        return Err(why_missing(connection, scope, plugin).await);
    }
    Err(Error::new(
        Code::ReleaseNotFound,
        format!("plugin {plugin} of {scope} has no release {digest}"),
    ))
}

/// Adds the row, or brings one that was retired or refused back to its beginning.
async fn add(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
    release: &NewRelease,
) -> Result<Written> {
    let done = sqlx::query(
        "INSERT INTO releases \
         (tenant, environment, plugin, digest, bytes, uploaded_at, metadata, checks, state, state_at, origin) \
         VALUES (?, ?, ?, ?, ?, ?, ?, '[]', 'uploaded', ?, ?) \
         ON CONFLICT (tenant, environment, plugin, digest) DO UPDATE \
         SET state = 'uploaded', state_at = excluded.state_at, origin = excluded.origin, checks = '[]', \
             replay = NULL, progress = NULL, lease_host = NULL, lease_until = 0 \
         WHERE releases.state IN ('retired', 'refused')",
    )
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .bind(release.digest.to_string())
    .bind(i64::try_from(release.bytes).unwrap_or(i64::MAX))
    .bind(sql_millis(release.uploaded_at))
    .bind(to_json(&tenterhook_domain::component::Metadata::default())?)
    .bind(sql_millis(release.uploaded_at))
    .bind(release.origin.as_str())
    .execute(connection)
    .await
    .map_err(failed("add a release"))?;
    Ok(if done.rows_affected() == 0 {
        Written::Unchanged
    } else {
        Written::Created
    })
}

/// Writes the findings of the host that holds the claim.
async fn write_findings(
    connection: &mut SqliteConnection,
    key: &ReleaseKey,
    host: &str,
    findings: &Findings,
    over: bool,
) -> Result<()> {
    let done = sqlx::query(
        "UPDATE releases SET version = ?, metadata = ?, checks = ?, replay = ?, \
         progress = CASE WHEN ? THEN NULL ELSE progress END, \
         lease_host = CASE WHEN ? THEN NULL ELSE lease_host END \
         WHERE tenant = ? AND environment = ? AND plugin = ? AND digest = ? AND lease_host = ?",
    )
    .bind(findings.version.as_deref())
    .bind(to_json(&findings.metadata)?)
    .bind(to_json(&findings.checks)?)
    .bind(findings.replay.as_ref().map(to_json).transpose()?)
    .bind(over)
    .bind(over)
    .bind(key.scope.tenant.as_str())
    .bind(key.scope.environment.as_str())
    .bind(key.plugin.as_str())
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

#[async_trait]
impl Releases for Sqlite {
    async fn insert(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        release: &NewRelease,
        author: &Author,
    ) -> Result<(Written, Release)> {
        let (this, scope, plugin) = (self.clone(), scope.clone(), plugin.clone());
        let (release, author) = (release.clone(), author.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            ensure(&mut transaction, &scope, &plugin).await?;
            let written = add(&mut transaction, &scope, &plugin, &release).await?;
            if written == Written::Created {
                let action = [("upload", Some(release.digest), release.origin.clone())];
                write_audit(
                    &mut transaction,
                    (&scope, &plugin),
                    &action,
                    &author,
                    release.uploaded_at,
                )
                .await?;
            }
            let stored = find(&mut transaction, &scope, &plugin, &release.digest).await?;
            transaction
                .commit()
                .await
                .map_err(failed("add a release"))?;
            if written == Written::Created {
                this.changes.announce(&scope, &plugin);
            }
            Ok((written, stored))
        })
        .await
    }

    async fn get(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<Release> {
        let mut connection = self
            .readers
            .acquire()
            .await
            .map_err(failed("read a release"))?;
        find(&mut connection, scope, plugin, digest).await
    }

    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        cursor: Cursor<'_>,
    ) -> Result<Page<Release>> {
        Plugins::get(self, scope, plugin).await?;
        let before = before(cursor)?;
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM releases \
             WHERE tenant = ? AND environment = ? AND plugin = ? AND number < ? \
             ORDER BY number DESC LIMIT ?"
        )))
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(plugin.as_str())
        .bind(before)
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list releases"))?;
        let page = cursor.page(rows, |row| row.number.to_string());
        Ok(Page {
            items: page
                .items
                .into_iter()
                .map(Row::read)
                .collect::<Result<_>>()?,
            next: page.next,
        })
    }

    async fn current(&self, scope: &Scope, plugin: &PluginName) -> Result<Option<Release>> {
        match Plugins::get(self, scope, plugin).await?.current {
            Some(digest) => Releases::get(self, scope, plugin, &digest).await.map(Some),
            None => Ok(None),
        }
    }

    async fn claim(
        &self,
        host: &str,
        until_millis: u64,
        now_millis: u64,
    ) -> Result<Option<ReleaseKey>> {
        let found: Option<(String, String, String, String)> = sqlx::query_as(
            "UPDATE releases SET lease_host = ?, lease_until = ? WHERE number = ( \
               SELECT number FROM releases \
               WHERE state IN ('uploaded', 'checked') AND (lease_host IS NULL OR lease_until < ?) \
               ORDER BY number LIMIT 1) \
             RETURNING tenant, environment, plugin, digest",
        )
        .bind(host)
        .bind(sql_millis(until_millis))
        .bind(sql_millis(now_millis))
        .fetch_optional(&self.writer)
        .await
        .map_err(failed("claim a release"))?;
        found.map(read_key).transpose()
    }

    async fn report(
        &self,
        key: &ReleaseKey,
        host: &str,
        progress: &Progress,
        until_millis: u64,
    ) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE releases SET progress = ?, lease_until = ? \
             WHERE tenant = ? AND environment = ? AND plugin = ? AND digest = ? AND lease_host = ?",
        )
        .bind(to_json(progress)?)
        .bind(sql_millis(until_millis))
        .bind(key.scope.tenant.as_str())
        .bind(key.scope.environment.as_str())
        .bind(key.plugin.as_str())
        .bind(key.digest.to_string())
        .bind(host)
        .execute(&self.writer)
        .await
        .map_err(failed("report progress"))?;
        Ok(done.rows_affected() > 0)
    }

    async fn conclude(
        &self,
        key: &ReleaseKey,
        host: &str,
        findings: &Findings,
        checked: Checked,
        author: &Author,
        now_millis: u64,
    ) -> Result<Release> {
        let (this, key, host) = (self.clone(), key.clone(), host.to_owned());
        let (findings, author) = (findings.clone(), author.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let over = checked != Checked::Component;
            write_findings(&mut transaction, &key, &host, &findings, over).await?;
            let r#move = match checked {
                Checked::Component => Move::Sound(key.digest),
                Checked::Passed => Move::Admit(key.digest),
                Checked::Refused => Move::Refuse(key.digest),
            };
            apply(
                &mut transaction,
                (&key.scope, &key.plugin),
                r#move,
                None,
                &author,
                now_millis,
            )
            .await?;
            let stored = find(&mut transaction, &key.scope, &key.plugin, &key.digest).await?;
            transaction
                .commit()
                .await
                .map_err(failed("write what was found"))?;
            this.changes.announce(&key.scope, &key.plugin);
            Ok(stored)
        })
        .await
    }

    async fn in_state(
        &self,
        state: ReleaseState,
        cursor: Cursor<'_>,
    ) -> Result<Page<(ReleaseKey, u64)>> {
        type Found = (i64, String, String, String, String, i64);
        let after = match cursor.after {
            None => 0,
            Some(_) => before(cursor)?,
        };
        let rows: Vec<Found> = sqlx::query_as(
            "SELECT number, tenant, environment, plugin, digest, state_at FROM releases \
             WHERE state = ? AND number > ? ORDER BY number LIMIT ?",
        )
        .bind(state.as_str())
        .bind(after)
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list releases"))?;
        let page = cursor.page(rows, |row| row.0.to_string());
        let read = |(_, tenant, environment, plugin, digest, since): Found| {
            Ok((
                read_key((tenant, environment, plugin, digest))?,
                since.unsigned_abs(),
            ))
        };
        Ok(Page {
            items: page.items.into_iter().map(read).collect::<Result<_>>()?,
            next: page.next,
        })
    }

    async fn needs(&self, digest: &Digest) -> Result<bool> {
        let found: Option<(i64,)> = sqlx::query_as(
            "SELECT 1 FROM releases WHERE digest = ? AND state NOT IN ('retired', 'refused') LIMIT 1",
        )
        .bind(digest.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("look for a release"))?;
        Ok(found.is_some())
    }
}

/// The number that a cursor of a list by number holds.
pub(super) fn before(cursor: Cursor<'_>) -> Result<i64> {
    match cursor.after {
        None => Ok(i64::MAX),
        Some(text) => text.parse().map_err(|_| {
            Error::new(
                Code::RequestInvalid,
                format!("{text:?} is not the cursor of this list"),
            )
        }),
    }
}

fn read_key(
    (tenant, environment, plugin, digest): (String, String, String, String),
) -> Result<ReleaseKey> {
    Ok(ReleaseKey {
        scope: Scope::new(
            tenant.parse().map_err(unreadable("a tenant"))?,
            environment.parse().map_err(unreadable("an environment"))?,
        ),
        plugin: plugin.parse().map_err(unreadable("a plugin"))?,
        digest: digest.parse().map_err(unreadable("a digest"))?,
    })
}
