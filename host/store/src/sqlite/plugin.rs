//! Plugins, grants and configuration in SQLite.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use tenterhook_domain::{
    Code, Digest, Error, PluginName, Result, Scope, audit::Author, execution::Page, grant::Grants,
    policy::ReleasePolicy,
};

use super::{
    Sqlite, failed, line,
    tenant::{require_scope, require_tenant},
    to_the_end, unreadable,
};
use crate::{
    Config, Cursor, Environments, Plugin, PluginSnapshot, Plugins, Setting, check_config,
    plugin::outdated,
};

pub(super) fn not_found(scope: &Scope, plugin: &PluginName) -> Error {
    Error::new(
        Code::PluginNotFound,
        format!("{scope} has no plugin {plugin}"),
    )
}

/// The most telling error for a plugin that was not found: its tenant or environment may be missing.
pub(super) async fn why_missing(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
) -> Error {
    let above = match require_tenant(connection, &scope.tenant).await {
        Ok(()) => require_scope(connection, scope).await,
        Err(error) => Err(error),
    };
    above.err().unwrap_or_else(|| not_found(scope, plugin))
}

/// Makes the plugin if it is not there; its scope must be.
pub(super) async fn ensure(
    connection: &mut SqliteConnection,
    scope: &Scope,
    plugin: &PluginName,
) -> Result<()> {
    require_scope(connection, scope).await?;
    sqlx::query(
        "INSERT INTO plugins (tenant, environment, plugin) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(scope.tenant.as_str())
    .bind(scope.environment.as_str())
    .bind(plugin.as_str())
    .execute(connection)
    .await
    .map_err(failed("add a plugin"))
    .map(|_| ())
}

pub(super) fn digest(text: Option<String>) -> Result<Option<Digest>> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(unreadable("a digest"))
}

/// A setting's column and what goes into it.
fn column(setting: Setting<'_>) -> Result<(&'static str, String)> {
    let (update, json) = match setting {
        Setting::Grants(grants) => {
            grants.check()?;
            (
                "UPDATE plugins SET grants = ?, revision = revision + 1 \
                 WHERE tenant = ? AND environment = ? AND plugin = ?",
                serde_json::to_string(grants),
            )
        }
        Setting::Config(config) => {
            check_config(config)?;
            (
                "UPDATE plugins SET config = ?, revision = revision + 1 \
                 WHERE tenant = ? AND environment = ? AND plugin = ?",
                serde_json::to_string(config),
            )
        }
        Setting::Policy(policy) => {
            policy.check()?;
            (
                "UPDATE plugins SET policy = ?, revision = revision + 1 \
                 WHERE tenant = ? AND environment = ? AND plugin = ?",
                serde_json::to_string(policy),
            )
        }
    };
    let json = json.map_err(|error| {
        Error::new(Code::Internal, "a plugin's setting does not serialise").caused_by(error)
    })?;
    Ok((update, json))
}

impl Sqlite {
    /// Sets one JSON column of a plugin and tells of it. A policy stands in the audit log too.
    async fn put_setting(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        setting: Setting<'_>,
        expected: Option<u64>,
        author: Option<(&Author, u64)>,
    ) -> Result<()> {
        let (update, json) = column(setting)?;
        let (this, scope, plugin) = (self.clone(), scope.clone(), plugin.clone());
        let audit = match setting {
            Setting::Policy(_) => author.map(|(author, now)| (author.clone(), now)),
            _ => None,
        };
        to_the_end(async move {
            let mut transaction = this.write().await?;
            if let Some(expected) = expected {
                let (_, at) = line::read(&mut transaction, (&scope, &plugin)).await?;
                if at != expected {
                    return Err(outdated(&scope, &plugin, at, expected));
                }
            }
            ensure(&mut transaction, &scope, &plugin).await?;
            sqlx::query(update)
                .bind(&json)
                .bind(scope.tenant.as_str())
                .bind(scope.environment.as_str())
                .bind(plugin.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(failed("change a plugin"))?;
            if let Some((author, now)) = audit {
                let action = [("policy", None, json)];
                line::write_audit(&mut transaction, (&scope, &plugin), &action, &author, now)
                    .await?;
            }
            transaction
                .commit()
                .await
                .map_err(failed("change a plugin"))?;
            this.changes.announce(&scope, &plugin);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Plugins for Sqlite {
    async fn get(&self, scope: &Scope, plugin: &PluginName) -> Result<Plugin> {
        let mut connection = self
            .readers
            .acquire()
            .await
            .map_err(failed("read a plugin"))?;
        let found: Option<(Option<String>,)> = sqlx::query_as(
            "SELECT current FROM plugins WHERE tenant = ? AND environment = ? AND plugin = ?",
        )
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(plugin.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed("read a plugin"))?;
        match found {
            Some((current,)) => Ok(Plugin {
                name: plugin.clone(),
                current: digest(current)?,
            }),
            None => Err(why_missing(&mut connection, scope, plugin).await),
        }
    }

    async fn list(&self, scope: &Scope, cursor: Cursor<'_>) -> Result<Page<Plugin>> {
        Environments::require(self, scope).await?;
        let rows: Vec<(String, Option<String>)> = sqlx::query_as(
            "SELECT plugin, current FROM plugins \
             WHERE tenant = ? AND environment = ? AND plugin > ? ORDER BY plugin LIMIT ?",
        )
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(cursor.after.unwrap_or_default())
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list plugins"))?;
        let plugins = rows
            .into_iter()
            .map(|(name, current)| {
                Ok(Plugin {
                    name: name.parse().map_err(unreadable("a plugin"))?,
                    current: digest(current)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(cursor.page(plugins, |plugin: &Plugin| plugin.name.to_string()))
    }

    async fn snapshot(&self, scope: &Scope, plugin: &PluginName) -> Result<PluginSnapshot> {
        // One transaction: both reads are of one moment.
        let mut transaction = self
            .readers
            .begin()
            .await
            .map_err(failed("read a plugin"))?;
        let found: Option<(String, String, String)> = sqlx::query_as(
            "SELECT grants, config, policy FROM plugins \
             WHERE tenant = ? AND environment = ? AND plugin = ?",
        )
        .bind(scope.tenant.as_str())
        .bind(scope.environment.as_str())
        .bind(plugin.as_str())
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed("read a plugin"))?;
        let Some((grants, config, policy)) = found else {
            return Err(why_missing(&mut transaction, scope, plugin).await);
        };
        let (line, revision) = line::read(&mut transaction, (scope, plugin)).await?;
        Ok(PluginSnapshot {
            line,
            policy: serde_json::from_str(&policy).map_err(unreadable("a policy"))?,
            grants: serde_json::from_str(&grants).map_err(unreadable("grants"))?,
            config: serde_json::from_str(&config).map_err(unreadable("a configuration"))?,
            revision,
        })
    }

    async fn put_grants(&self, scope: &Scope, plugin: &PluginName, grants: &Grants) -> Result<()> {
        self.put_setting(scope, plugin, Setting::Grants(grants), None, None)
            .await
    }

    async fn put_policy(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        policy: &ReleasePolicy,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        let author = Some((author, now_millis));
        self.put_setting(scope, plugin, Setting::Policy(policy), None, author)
            .await
    }

    async fn put_config(&self, scope: &Scope, plugin: &PluginName, config: &Config) -> Result<()> {
        self.put_setting(scope, plugin, Setting::Config(config), None, None)
            .await
    }

    async fn put(
        &self,
        scope: &Scope,
        plugin: &PluginName,
        setting: Setting<'_>,
        expected: Option<u64>,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        let author = Some((author, now_millis));
        self.put_setting(scope, plugin, setting, expected, author)
            .await
    }
}
