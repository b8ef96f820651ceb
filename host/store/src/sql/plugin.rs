//! Plugins, grants and configuration in the database.

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope,
    audit::Author,
    execution::Page,
    grant::Grants,
    policy::{OnDivergence, ReleasePolicy},
    quota::QuotaOverrides,
};

use super::{
    At, BindAt as _, Connection, Db, LOCK, audit, failed, line, read_digest, read_json,
    tenant::{require_scope, require_tenant},
    to_json, to_the_end, unreadable,
};
use crate::{Config, Cursor, Environments, Plugin, PluginSnapshot, Plugins, check_config};

pub(super) fn not_found(scope: &Scope, plugin: &PluginName) -> Error {
    Error::new(
        Code::PluginNotFound,
        format!("{scope} has no plugin {plugin}"),
    )
}

/// The most telling error for a plugin that was not found: its tenant or environment may be missing.
pub(super) async fn why_missing(
    connection: &mut Connection,
    scope: &Scope,
    plugin: &PluginName,
) -> Error {
    let above = match require_tenant(connection, &scope.tenant).await {
        Ok(()) => require_scope(connection, scope).await,
        Err(error) => Err(error),
    };
    above.err().unwrap_or_else(|| not_found(scope, plugin))
}

/// Holds the plugin's row until the transaction ends, before anything else of the plugin is read or written: so of
/// two writers one waits at the door, and none inside.
pub(super) async fn lock(connection: &mut Connection, (scope, plugin): At<'_>) -> Result<()> {
    let found = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT 1 FROM plugins WHERE tenant = $1 AND environment = $2 AND plugin = $3{LOCK}"
    )))
    .bind_at((scope, plugin))
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read a plugin"))?;
    match found {
        Some(_) => Ok(()),
        None => Err(why_missing(connection, scope, plugin).await),
    }
}

/// Makes the plugin if it is not there, and holds it; its scope must be there.
pub(super) async fn ensure(connection: &mut Connection, at: At<'_>) -> Result<()> {
    let (scope, plugin) = at;
    require_scope(connection, scope).await?;
    sqlx::query(
        "INSERT INTO plugins (tenant, environment, plugin) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind_at((scope, plugin))
    .execute(&mut *connection)
    .await
    .map_err(failed("add a plugin"))?;
    lock(connection, at).await
}

/// What is set of a plugin: the statement, its JSON, and what stands in the audit log of it.
struct Setting {
    update: &'static str,
    json: String,
    noted: Option<(Author, u64)>,
}

impl Db {
    /// Sets one JSON column of a plugin and tells of it.
    async fn put_setting(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        setting: Setting,
    ) -> Result<()> {
        let (this, scope, plugin) = (self.clone(), scope.clone(), plugin.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let at = (&scope, &plugin);
            ensure(&mut transaction, at).await?;
            sqlx::query(setting.update)
                .bind(setting.json.as_str())
                .bind_at(at)
                .execute(&mut *transaction)
                .await
                .map_err(failed("change a plugin"))?;
            if let Some((author, now)) = setting.noted {
                let action = [("policy", None, setting.json)];
                audit::write(&mut transaction, at, &action, &author, now).await?;
            }
            this.tell(transaction, &scope, &plugin).await
        })
        .await
    }
}

#[derive(FromRow)]
struct Snapshot {
    #[sqlx(flatten)]
    line: line::Row,
    grants: String,
    config: String,
    policy: String,
    moves: bool,
    tenant_limits: String,
    tenant_quotas: String,
}

impl Snapshot {
    fn read(self) -> Result<PluginSnapshot> {
        let (line, revision) = self.line.read()?;
        let quotas: QuotaOverrides = read_json(&self.tenant_quotas, "quotas")?;
        Ok(PluginSnapshot {
            line,
            policy: read_json(&self.policy, "a policy")?,
            moves: self.moves,
            grants: read_json(&self.grants, "grants")?,
            tenant_limits: read_json(&self.tenant_limits, "limits of a tenant")?,
            config: read_json(&self.config, "a configuration")?,
            weight: quotas.in_force().shares(),
            revision,
        })
    }
}

#[async_trait]
impl Plugins for Db {
    async fn get(&self, scope: &Scope, plugin: &PluginName) -> Result<Plugin> {
        let mut connection = self.reader().await?;
        let found: Option<(Option<String>,)> = sqlx::query_as(
            "SELECT current FROM plugins WHERE tenant = $1 AND environment = $2 AND plugin = $3",
        )
        .bind_at((scope, plugin))
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("read a plugin"))?;
        match found {
            Some((current,)) => Ok(Plugin {
                name: plugin.clone(),
                current: read_digest(current)?,
            }),
            None => Err(why_missing(&mut connection, scope, plugin).await),
        }
    }

    async fn list(&self, scope: &Scope, cursor: Cursor<'_>) -> Result<Page<Plugin>> {
        Environments::require(self, scope).await?;
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT plugin, current FROM plugins \
             WHERE tenant = $1 AND environment = $2 AND plugin > $3 ORDER BY plugin LIMIT $4",
        )
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(cursor.after.unwrap_or_default())
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list plugins"))?;
        let read = |(name, current): (String, _)| {
            Ok(Plugin {
                name: name.parse().map_err(unreadable("a plugin"))?,
                current: read_digest(current)?,
            })
        };
        cursor.read_page(rows, |row| row.0.clone(), read)
    }

    async fn snapshot(&self, scope: &Scope, plugin: &PluginName) -> Result<PluginSnapshot> {
        let mut connection = self.reader().await?;
        let found: Option<Snapshot> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {}, grants, config, policy, moves, \
             (SELECT limits FROM tenants WHERE tenants.tenant = plugins.tenant) AS tenant_limits, \
             (SELECT quotas FROM tenants WHERE tenants.tenant = plugins.tenant) AS tenant_quotas FROM plugins \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3",
            line::COLUMNS
        )))
        .bind_at((scope, plugin))
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("read a plugin"))?;
        match found {
            Some(found) => found.read(),
            None => Err(why_missing(&mut connection, scope, plugin).await),
        }
    }

    async fn put_grants(&self, scope: &Scope, plugin: &PluginName, grants: &Grants) -> Result<()> {
        grants.check()?;
        let setting = Setting {
            update: "UPDATE plugins SET grants = $1, revision = revision + 1 \
                     WHERE tenant = $2 AND environment = $3 AND plugin = $4",
            json: to_json(grants)?,
            noted: None,
        };
        self.put_setting(scope, plugin, setting).await
    }

    async fn put_policy(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        policy: &ReleasePolicy,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        policy.check()?;
        // What moved once stays moved, whatever the policy says later.
        let update = match policy.on_divergence {
            OnDivergence::Migrate => {
                "UPDATE plugins SET policy = $1, moves = TRUE, revision = revision + 1 \
                 WHERE tenant = $2 AND environment = $3 AND plugin = $4"
            }
            OnDivergence::Pin | OnDivergence::Refuse => {
                "UPDATE plugins SET policy = $1, revision = revision + 1 \
                 WHERE tenant = $2 AND environment = $3 AND plugin = $4"
            }
        };
        let setting = Setting {
            update,
            json: to_json(policy)?,
            noted: Some((author.clone(), now_millis)),
        };
        self.put_setting(scope, plugin, setting).await
    }

    async fn put_config(&self, scope: &Scope, plugin: &PluginName, config: &Config) -> Result<()> {
        check_config(config)?;
        let setting = Setting {
            update: "UPDATE plugins SET config = $1, revision = revision + 1 \
                     WHERE tenant = $2 AND environment = $3 AND plugin = $4",
            json: to_json(config)?,
            noted: None,
        };
        self.put_setting(scope, plugin, setting).await
    }
}
