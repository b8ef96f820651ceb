//! Releases in SQLite.

use async_trait::async_trait;
use sqlx::{FromRow, SqliteConnection};
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope,
    execution::Page,
    release::{Release, ReleaseState},
};

use super::{
    Sqlite, failed,
    plugin::{ensure, why_missing},
    to_the_end, unreadable,
};
use crate::{Cursor, Plugins, Releases, Written};

#[derive(FromRow)]
struct Row {
    number: i64,
    digest: String,
    version: Option<String>,
    bytes: i64,
    uploaded_at: i64,
    metadata: String,
    checks: String,
    current: bool,
}

impl Row {
    fn read(self) -> Result<Release> {
        Ok(Release {
            digest: self.digest.parse().map_err(unreadable("a digest"))?,
            version: self.version,
            state: if self.current {
                ReleaseState::Current
            } else {
                ReleaseState::Ready
            },
            bytes: self.bytes.unsigned_abs(),
            uploaded_at: self.uploaded_at.unsigned_abs(),
            metadata: serde_json::from_str(&self.metadata).map_err(unreadable("metadata"))?,
            checks: serde_json::from_str(&self.checks).map_err(unreadable("checks"))?,
        })
    }
}

async fn find(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
    digest: &Digest,
) -> Result<Release> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT number, digest, version, bytes, uploaded_at, metadata, checks, \
         digest IS p.current AS current \
         FROM releases JOIN plugins p USING (tenant, environment, plugin) \
         WHERE tenant = ? AND environment = ? AND plugin = ? AND digest = ?",
    )
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

async fn add(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
    release: &Release,
) -> Result<Written> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| {
            Error::new(Code::Internal, "a release does not serialise").caused_by(error)
        })
    };
    let done = sqlx::query(
        "INSERT INTO releases \
         (tenant, environment, plugin, digest, version, bytes, uploaded_at, metadata, checks) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .bind(release.digest.to_string())
    .bind(release.version.as_deref())
    .bind(i64::try_from(release.bytes).unwrap_or(i64::MAX))
    .bind(i64::try_from(release.uploaded_at).unwrap_or(i64::MAX))
    .bind(json(serde_json::to_string(&release.metadata))?)
    .bind(json(serde_json::to_string(&release.checks))?)
    .execute(&mut *connection)
    .await
    .map_err(failed("add a release"))?;
    if done.rows_affected() == 0 {
        return Ok(Written::Unchanged);
    }
    sqlx::query(
        "UPDATE plugins SET current = coalesce(current, ?), revision = revision + 1 \
         WHERE tenant = ? AND environment = ? AND plugin = ?",
    )
    .bind(release.digest.to_string())
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .execute(connection)
    .await
    .map_err(failed("make a first release current"))?;
    Ok(Written::Created)
}

async fn make_current(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
    digest: &Digest,
) -> Result<Release> {
    let release = find(connection, scope, plugin, digest).await?;
    sqlx::query(
        "UPDATE plugins SET current = ?, revision = revision + 1 \
         WHERE tenant = ? AND environment = ? AND plugin = ?",
    )
    .bind(digest.to_string())
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .execute(connection)
    .await
    .map_err(failed("make a release current"))?;
    Ok(Release {
        state: ReleaseState::Current,
        ..release
    })
}

#[async_trait]
impl Releases for Sqlite {
    async fn insert(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        release: &Release,
    ) -> Result<(Written, Release)> {
        let (this, scope, plugin, release) =
            (self.clone(), scope.clone(), plugin.clone(), release.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            ensure(&mut transaction, &scope, &plugin).await?;
            let written = add(&mut transaction, &scope, &plugin, &release).await?;
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
        let before = match cursor.after {
            None => i64::MAX,
            Some(text) => text.parse().map_err(|_| {
                Error::new(
                    Code::RequestInvalid,
                    format!("{text:?} is not the cursor of a list of releases"),
                )
            })?,
        };
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT number, digest, version, bytes, uploaded_at, metadata, checks, \
             digest IS p.current AS current \
             FROM releases JOIN plugins p USING (tenant, environment, plugin) \
             WHERE tenant = ? AND environment = ? AND plugin = ? AND number < ? \
             ORDER BY number DESC LIMIT ?",
        )
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

    async fn set_current(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        digest: &Digest,
    ) -> Result<Release> {
        let (this, scope, plugin, digest) = (self.clone(), scope.clone(), plugin.clone(), *digest);
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let release = make_current(&mut transaction, &scope, &plugin, &digest).await?;
            transaction
                .commit()
                .await
                .map_err(failed("make a release current"))?;
            this.changes.announce(&scope, &plugin);
            Ok(release)
        })
        .await
    }

    async fn current(&self, scope: &Scope, plugin: &PluginName) -> Result<Option<Release>> {
        match Plugins::get(self, scope, plugin).await?.current {
            Some(digest) => Releases::get(self, scope, plugin, &digest)
                .await
                .map(|release| {
                    // It was current a moment ago; that is the moment this answers for.
                    Some(Release {
                        state: ReleaseState::Current,
                        ..release
                    })
                }),
            None => Ok(None),
        }
    }
}
