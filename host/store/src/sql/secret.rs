//! Encrypted secrets in the database.

use async_trait::async_trait;
use sqlx::FromRow;
use tenterhook_domain::{
    Code, Error, PluginName, Result, Scope,
    audit::Author,
    secret::SECRETS_MAX,
    secret_key::{Sealed, SecretPlace},
};

use super::{
    At, BindAt, Connection, Db, audit, failed, number,
    plugin::{ensure, lock, why_missing},
    read_scope, unreadable,
};
use crate::{Secrets, secret::SecretEntry};

/// What a secret is named in the audit log.
const ACTION: &str = "secret";

fn at(place: &SecretPlace) -> At<'_> {
    (&place.scope, &place.plugin)
}

#[derive(FromRow)]
struct SealedRow {
    tenant: String,
    environment: String,
    plugin: String,
    name: String,
    key_id: String,
    data_key: Vec<u8>,
    value: Vec<u8>,
}

impl SealedRow {
    fn read(self) -> Result<(SecretPlace, Sealed)> {
        let place = SecretPlace {
            scope: read_scope(&self.tenant, &self.environment)?,
            plugin: self.plugin.parse().map_err(unreadable("a plugin"))?,
            name: self.name.parse().map_err(unreadable("a secret's name"))?,
        };
        let sealed = Sealed {
            key: self.key_id,
            data_key: self.data_key,
            value: self.value,
        };
        Ok((place, sealed))
    }
}

/// Refuses one secret more than a plugin may have. The plugin is held.
async fn check_room(connection: &mut Connection, place: &SecretPlace) -> Result<()> {
    let (others,): (i64,) = sqlx::query_as(
        "SELECT count(*) FROM secrets \
         WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND name <> $4",
    )
    .bind_at(at(place))
    .bind(place.name.as_str())
    .fetch_one(connection)
    .await
    .map_err(failed("count secrets"))?;
    if usize::try_from(others).is_ok_and(|others| others < SECRETS_MAX) {
        return Ok(());
    }
    Err(Error::new(
        Code::SecretInvalid,
        format!(
            "plugin {} of {} has {others} secrets, and no room for {}: delete one that it does not need",
            place.plugin, place.scope, place.name
        ),
    ))
}

async fn write(
    connection: &mut Connection,
    place: &SecretPlace,
    sealed: &Sealed,
    now: u64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO secrets (tenant, environment, plugin, name, key_id, data_key, value, set_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (tenant, environment, plugin, name) DO UPDATE SET key_id = excluded.key_id, \
         data_key = excluded.data_key, value = excluded.value, set_at = excluded.set_at",
    )
    .bind_at(at(place))
    .bind(place.name.as_str())
    .bind(sealed.key.as_str())
    .bind(sealed.data_key.as_slice())
    .bind(sealed.value.as_slice())
    .bind(number(now))
    .execute(connection)
    .await
    .map_err(failed("set a secret"))
    .map(|_| ())
}

async fn remove(connection: &mut Connection, place: &SecretPlace) -> Result<bool> {
    sqlx::query(
        "DELETE FROM secrets WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND name = $4",
    )
    .bind_at(at(place))
    .bind(place.name.as_str())
    .execute(connection)
    .await
    .map_err(failed("delete a secret"))
    .map(|done| done.rows_affected() > 0)
}

#[async_trait]
impl Secrets for Db {
    async fn put(
        &self,
        place: &SecretPlace,
        sealed: &Sealed,
        author: &Author,
        now_millis: u64,
    ) -> Result<()> {
        let mut transaction = self.write().await?;
        ensure(&mut transaction, at(place)).await?;
        check_room(&mut transaction, place).await?;
        write(&mut transaction, place, sealed, now_millis).await?;
        let action = [(ACTION, None, format!("set {}", place.name))];
        audit::write(&mut transaction, at(place), &action, author, now_millis).await?;
        transaction.commit().await.map_err(failed("set a secret"))
    }

    async fn delete(&self, place: &SecretPlace, author: &Author, now_millis: u64) -> Result<bool> {
        let mut transaction = self.write().await?;
        lock(&mut transaction, at(place)).await?;
        if !remove(&mut transaction, place).await? {
            return Ok(false);
        }
        let action = [(ACTION, None, format!("deleted {}", place.name))];
        audit::write(&mut transaction, at(place), &action, author, now_millis).await?;
        let done = transaction.commit().await;
        done.map_err(failed("delete a secret"))?;
        Ok(true)
    }

    async fn list(&self, scope: &Scope, plugin: &PluginName) -> Result<Vec<SecretEntry>> {
        let mut connection = self.reader().await?;
        let rows: Vec<(String, i64, String)> = sqlx::query_as(
            "SELECT name, set_at, key_id FROM secrets \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 ORDER BY name",
        )
        .bind_at((scope, plugin))
        .fetch_all(&mut *connection)
        .await
        .map_err(failed("list secrets"))?;
        if rows.is_empty() {
            require(&mut connection, (scope, plugin)).await?;
        }
        let read = |(name, set_at, key): (String, i64, _)| {
            Ok(SecretEntry {
                name: name.parse().map_err(unreadable("a secret's name"))?,
                set_at: set_at.unsigned_abs(),
                key,
            })
        };
        rows.into_iter().map(read).collect()
    }

    async fn get(&self, place: &SecretPlace) -> Result<Option<Sealed>> {
        let row: Option<(String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT key_id, data_key, value FROM secrets \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND name = $4",
        )
        .bind_at(at(place))
        .bind(place.name.as_str())
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("read a secret"))?;
        Ok(row.map(|(key, data_key, value)| Sealed {
            key,
            data_key,
            value,
        }))
    }

    async fn under(
        &self,
        key: &str,
        after: Option<&SecretPlace>,
        limit: usize,
    ) -> Result<Vec<(SecretPlace, Sealed)>> {
        // No name is empty, so that all places come after the empty one.
        let [tenant, environment, plugin, name] = after.map_or([""; 4], |after| {
            [
                after.scope.tenant.as_str(),
                after.scope.environment.as_str(),
                after.plugin.as_str(),
                after.name.as_str(),
            ]
        });
        let rows: Vec<SealedRow> = sqlx::query_as(
            "SELECT tenant, environment, plugin, name, key_id, data_key, value FROM secrets \
             WHERE key_id = $1 AND (tenant, environment, plugin, name) > ($2, $3, $4, $5) \
             ORDER BY tenant, environment, plugin, name LIMIT $6",
        )
        .bind(key)
        .bind(tenant)
        .bind(environment)
        .bind(plugin)
        .bind(name)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list secrets"))?;
        rows.into_iter().map(SealedRow::read).collect()
    }

    async fn not_under(&self, key: &str) -> Result<u64> {
        let (others,): (i64,) = sqlx::query_as("SELECT count(*) FROM secrets WHERE key_id <> $1")
            .bind(key)
            .fetch_one(&self.readers)
            .await
            .map_err(failed("count secrets"))?;
        Ok(others.unsigned_abs())
    }

    async fn reseal(
        &self,
        place: &SecretPlace,
        from: &Sealed,
        to: &Sealed,
        author: &Author,
        now_millis: u64,
    ) -> Result<bool> {
        let mut transaction = self.write().await?;
        lock(&mut transaction, at(place)).await?;
        // A secret that is set anew has another key of its own, so that it is not found here.
        let done = sqlx::query(
            "UPDATE secrets SET key_id = $1, data_key = $2, value = $3 \
             WHERE tenant = $4 AND environment = $5 AND plugin = $6 AND name = $7 AND data_key = $8",
        )
        .bind(to.key.as_str())
        .bind(to.data_key.as_slice())
        .bind(to.value.as_slice())
        .bind_at(at(place))
        .bind(place.name.as_str())
        .bind(from.data_key.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("reseal a secret"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let detail = format!("resealed {} under key {}", place.name, to.key);
        let action = [(ACTION, None, detail)];
        audit::write(&mut transaction, at(place), &action, author, now_millis).await?;
        let done = transaction.commit().await;
        done.map_err(failed("reseal a secret"))?;
        Ok(true)
    }
}

async fn require(connection: &mut Connection, (scope, plugin): At<'_>) -> Result<()> {
    let found =
        sqlx::query("SELECT 1 FROM plugins WHERE tenant = $1 AND environment = $2 AND plugin = $3")
            .bind_at((scope, plugin))
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed("read a plugin"))?;
    match found {
        Some(_) => Ok(()),
        None => Err(why_missing(connection, scope, plugin).await),
    }
}
