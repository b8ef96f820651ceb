//! Releases in the database.

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    audit::Author,
    check::Progress,
    component::Metadata,
    double_run::DoubleRunFinding,
    execution::Page,
    release::{Release, ReleaseState},
};

use super::{
    At, BindAt as _, Connection, Db, allowance, audit, claim, double_run, failed, number, place,
    plugin::{ensure, why_missing},
    read_json, read_scope,
    tenant::hold_tenant,
    to_json, to_the_end, unreadable,
};
use crate::{Checked, Cursor, Findings, NewRelease, Plugins, ReleaseKey, Releases, Written};

const COLUMNS: &str = "number, digest, version, bytes, uploaded_at, metadata, checks, state, origin, replay, progress, \
     double_run";

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
    double_run: Option<String>,
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
            metadata: read_json(&self.metadata, "metadata")?,
            checks: read_json(&self.checks, "checks")?,
            replay: optional(self.replay, "a replay report")?,
            progress: optional(self.progress, "a progress")?,
            double_run: optional(self.double_run, "a finding")?,
        })
    }
}

fn optional<T: serde::de::DeserializeOwned>(
    json: Option<String>,
    what: &'static str,
) -> Result<Option<T>> {
    json.map(|json| read_json(&json, what)).transpose()
}

pub(super) async fn find(
    connection: &mut Connection,
    scope: &Scope,
    plugin: &PluginName,
    digest: &Digest,
) -> Result<Release> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM releases \
         WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND digest = $4"
    )))
    .bind_at((scope, plugin))
    .bind(digest.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read a release"))?;
    if let Some(row) = row {
        return row.read();
    }
    let plugin_there =
        sqlx::query("SELECT 1 FROM plugins WHERE tenant = $1 AND environment = $2 AND plugin = $3")
            .bind_at((scope, plugin))
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

async fn is_kept(connection: &mut Connection, at: At<'_>, digest: &Digest) -> Result<bool> {
    let found = sqlx::query(
        "SELECT 1 FROM releases WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND digest = $4 \
         AND state NOT IN ('retired', 'refused')",
    )
    .bind_at(at)
    .bind(digest.to_string())
    .fetch_optional(connection)
    .await
    .map_err(failed("read a release"))?;
    Ok(found.is_some())
}

/// Adds the row, or brings one that was retired or refused back to its beginning.
async fn add(
    connection: &mut Connection,
    scope: &Scope,
    plugin: &PluginName,
    release: &NewRelease,
) -> Result<Written> {
    let done = sqlx::query(
        "INSERT INTO releases \
         (tenant, environment, plugin, digest, bytes, uploaded_at, metadata, checks, state, state_at, origin, \
         signature) VALUES ($1, $2, $3, $4, $5, $6, $7, '[]', 'uploaded', $8, $9, $10) \
         ON CONFLICT (tenant, environment, plugin, digest) DO UPDATE \
         SET state = 'uploaded', state_at = excluded.state_at, origin = excluded.origin, \
             signature = excluded.signature, \
             version = NULL, metadata = excluded.metadata, checks = '[]', replay = NULL, \
             progress = NULL, double_run = NULL, lease_host = NULL, lease_until = 0 \
         WHERE releases.state IN ('retired', 'refused')",
    )
    .bind_at((scope, plugin))
    .bind(release.digest.to_string())
    .bind(number(release.bytes))
    .bind(number(release.uploaded_at))
    .bind(to_json(&Metadata::default())?)
    .bind(number(release.uploaded_at))
    .bind(release.origin.as_str())
    .bind(release.signature.as_deref())
    .execute(connection)
    .await
    .map_err(failed("add a release"))?;
    Ok(if done.rows_affected() == 0 {
        Written::Unchanged
    } else {
        Written::Created
    })
}

#[async_trait]
impl Releases for Db {
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
            let at = (&scope, &plugin);
            let tenant = &scope.tenant;
            // The tenant's row first, for all who push for the tenant: of two that would take the last place one
            // waits for the other.
            hold_tenant(&mut transaction, tenant).await?;
            ensure(&mut transaction, at).await?;
            if !is_kept(&mut transaction, at, &release.digest).await? {
                allowance::admit_release(&mut transaction, tenant, release.bytes).await?;
            }
            let written = add(&mut transaction, &scope, &plugin, &release).await?;
            let stored = find(&mut transaction, &scope, &plugin, &release.digest).await?;
            if written == Written::Created {
                let action = [("upload", Some(release.digest), release.origin.clone())];
                let now = release.uploaded_at;
                audit::write(&mut transaction, at, &action, &author, now).await?;
                this.tell(transaction, &scope, &plugin).await?;
            } else {
                // At once: whoever looks for releases to check passes over rows that are held.
                transaction
                    .rollback()
                    .await
                    .map_err(failed("add a release"))?;
            }
            Ok((written, stored))
        })
        .await
    }

    async fn get(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<Release> {
        let mut connection = self.reader().await?;
        find(&mut connection, scope, plugin, digest).await
    }

    async fn is_kept(&self, scope: &Scope, plugin: &PluginName, digest: &Digest) -> Result<bool> {
        let mut connection = self.reader().await?;
        is_kept(&mut connection, (scope, plugin), digest).await
    }

    async fn signature(&self, key: &ReleaseKey) -> Result<Option<String>> {
        let found: Option<(Option<String>,)> = sqlx::query_as(
            "SELECT signature FROM releases \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND digest = $4",
        )
        .bind_at((&key.scope, &key.plugin))
        .bind(key.digest.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("read a signature"))?;
        Ok(found.and_then(|(signature,)| signature))
    }

    async fn list(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        cursor: Cursor<'_>,
    ) -> Result<Page<Release>> {
        Plugins::get(self, scope, plugin).await?;
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM releases \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND number < $4 \
             ORDER BY number DESC LIMIT $5"
        )))
        .bind_at((scope, plugin))
        .bind(place(cursor)?.unwrap_or(i64::MAX))
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list releases"))?;
        cursor.read_page(rows, |row| row.number.to_string(), Row::read)
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
        claim::claim(self, host, until_millis, now_millis).await
    }

    async fn report(
        &self,
        key: &ReleaseKey,
        host: &str,
        progress: &Progress,
        until_millis: u64,
    ) -> Result<bool> {
        claim::report(self, key, host, progress, until_millis).await
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
        let (this, findings, author) = (self.clone(), findings.clone(), author.clone());
        let (key, host) = (key.clone(), host.to_owned());
        to_the_end(async move {
            let held = claim::Held {
                key: &key,
                host: &host,
            };
            claim::conclude(&this, held, &findings, checked, &author, now_millis).await
        })
        .await
    }

    async fn note_double_run(
        &self,
        key: &ReleaseKey,
        finding: &DoubleRunFinding,
        author: &Author,
    ) -> Result<bool> {
        let (this, key) = (self.clone(), key.clone());
        let (finding, author) = (finding.clone(), author.clone());
        to_the_end(async move { double_run::note(&this, &key, &finding, &author).await }).await
    }

    async fn in_state(
        &self,
        state: ReleaseState,
        cursor: Cursor<'_>,
    ) -> Result<Page<(ReleaseKey, u64)>> {
        type Found = (i64, String, String, String, String, i64);
        let rows: Vec<Found> = sqlx::query_as(
            "SELECT number, tenant, environment, plugin, digest, state_at FROM releases \
             WHERE state = $1 AND number > $2 ORDER BY number LIMIT $3",
        )
        .bind(state.as_str())
        .bind(place(cursor)?.unwrap_or(0))
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list releases"))?;
        let read = |(_, tenant, environment, plugin, digest, since): Found| {
            let key = read_key((tenant, environment, plugin, digest))?;
            Ok((key, since.unsigned_abs()))
        };
        cursor.read_page(rows, |row| row.0.to_string(), read)
    }

    async fn needs(&self, digest: &Digest) -> Result<bool> {
        let found = sqlx::query(
            "SELECT 1 FROM releases WHERE digest = $1 AND state NOT IN ('retired', 'refused') LIMIT 1",
        )
        .bind(digest.to_string())
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("look for a release"))?;
        Ok(found.is_some())
    }
}

pub(super) fn read_key(
    (tenant, environment, plugin, digest): (String, String, String, String),
) -> Result<ReleaseKey> {
    Ok(ReleaseKey {
        scope: read_scope(&tenant, &environment)?,
        plugin: plugin.parse().map_err(unreadable("a plugin"))?,
        digest: digest.parse().map_err(unreadable("a digest"))?,
    })
}
