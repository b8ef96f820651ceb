//! Key-value state in the database.

use async_trait::async_trait;
use bytes::Bytes;
use tenterhook_domain::{Code, Error, Result, execution::Page, quota::QuotaOverrides};

use super::{BindAt as _, Connection, Db, LOCK, failed, plugin::not_found, read_json};
use crate::{
    Bucket, Cursor, KeyValueState, StateRoom,
    state::{check_key, check_room},
};

async fn read(
    connection: &mut Connection,
    bucket: Bucket<'_>,
    key: &str,
    lock: &'static str,
) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT value FROM state \
         WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND bucket = $4 AND key = $5{lock}"
    )))
    .bind_at((bucket.scope, bucket.plugin))
    .bind(bucket.name)
    .bind(key)
    .fetch_optional(connection)
    .await
    .map_err(failed("read state"))?;
    Ok(row.map(|(value,)| value))
}

/// What the plugin of `bucket` keeps with all that this transaction wrote, held against its room and its tenant's quota.
async fn check(connection: &mut Connection, bucket: Bucket<'_>, room: StateRoom) -> Result<()> {
    let (keys, bytes, quotas, of_tenant): (i64, i64, String, i64) = sqlx::query_as(
        "SELECT u.keys, u.bytes, t.quotas, \
         (SELECT CAST(SUM(a.bytes) AS BIGINT) FROM state_use a WHERE a.tenant = u.tenant) \
         FROM state_use u JOIN tenants t ON t.tenant = u.tenant \
         WHERE u.tenant = $1 AND u.environment = $2 AND u.plugin = $3",
    )
    .bind_at((bucket.scope, bucket.plugin))
    .fetch_one(connection)
    .await
    .map_err(failed("count state"))?;
    check_room(bucket, keys.unsigned_abs(), bytes.unsigned_abs(), room)?;
    let quotas = read_json::<QuotaOverrides>(&quotas, "quotas")?.in_force();
    let (tenant, of_tenant) = (&bucket.scope.tenant, of_tenant.unsigned_abs());
    quotas.check(tenant, "state_bytes", of_tenant, of_tenant)
}

async fn write(
    connection: &mut Connection,
    bucket: Bucket<'_>,
    key: &str,
    value: &[u8],
) -> Result<bool> {
    let insert = "INSERT INTO state (tenant, environment, plugin, bucket, key, value) \
                  VALUES ($1, $2, $3, $4, $5, $6) \
                  ON CONFLICT (tenant, environment, plugin, bucket, key) DO UPDATE SET value = excluded.value";
    put(connection, insert, bucket, key, value).await
}

async fn put(
    connection: &mut Connection,
    insert: &'static str,
    bucket: Bucket<'_>,
    key: &str,
    value: &[u8],
) -> Result<bool> {
    let done = sqlx::query(insert)
        .bind_at((bucket.scope, bucket.plugin))
        .bind(bucket.name)
        .bind(key)
        .bind(value)
        .execute(connection)
        .await;
    match done {
        Ok(done) => Ok(done.rows_affected() > 0),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
            Err(not_found(bucket.scope, bucket.plugin))
        }
        Err(error) => Err(failed("write state")(error)),
    }
}

/// Writes `value` where there is none. True if it did.
async fn claim(
    connection: &mut Connection,
    bucket: Bucket<'_>,
    key: &str,
    value: &[u8],
) -> Result<bool> {
    let insert = "INSERT INTO state (tenant, environment, plugin, bucket, key, value) \
                  VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    put(connection, insert, bucket, key, value).await
}

/// Runs a statement on the row of `key` if its value is `expected`, with `new` as the seventh parameter where the
/// statement has one. True if there was such a row.
async fn exchange(
    connection: &mut Connection,
    bucket: Bucket<'_>,
    key: &str,
    expected: &[u8],
    new: Option<&[u8]>,
) -> Result<bool> {
    // Both decide and write in one statement: of two that expect the same, the second finds another value.
    let statement = match new {
        Some(_) => {
            "UPDATE state SET value = $7 WHERE tenant = $1 AND environment = $2 AND plugin = $3 \
             AND bucket = $4 AND key = $5 AND value = $6"
        }
        None => {
            "DELETE FROM state WHERE tenant = $1 AND environment = $2 AND plugin = $3 \
             AND bucket = $4 AND key = $5 AND value = $6"
        }
    };
    let mut query = sqlx::query(statement)
        .bind_at((bucket.scope, bucket.plugin))
        .bind(bucket.name)
        .bind(key)
        .bind(expected);
    if let Some(new) = new {
        query = query.bind(new);
    }
    let done = query.execute(connection).await;
    done.map(|done| done.rows_affected() > 0)
        .map_err(failed("write state"))
}

fn sum(key: &str, value: Option<Vec<u8>>, delta: i64) -> Result<i64> {
    let number = match value {
        None => Some(0),
        Some(value) => std::str::from_utf8(&value)
            .ok()
            .and_then(|text| text.parse::<i64>().ok()),
    };
    number
        .and_then(|number| number.checked_add(delta))
        .ok_or_else(|| {
            Error::new(
                Code::RequestInvalid,
                format!("the value of key {key:?} and {delta} have no sum of 64 bits"),
            )
        })
}

#[async_trait]
impl KeyValueState for Db {
    async fn get(&self, bucket: Bucket<'_>, key: &str) -> Result<Option<Bytes>> {
        check_key(bucket, key)?;
        let mut connection = self.reader().await?;
        let value = read(&mut connection, bucket, key, "").await?;
        Ok(value.map(Bytes::from))
    }

    async fn set(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        value: Bytes,
        room: StateRoom,
    ) -> Result<()> {
        check_key(bucket, key)?;
        let mut transaction = self.write().await?;
        write(&mut transaction, bucket, key, &value).await?;
        if let Err(full) = check(&mut transaction, bucket, room).await {
            transaction
                .rollback()
                .await
                .map_err(failed("write state"))?;
            // Whoever has too much may still keep less.
            transaction = self.write().await?;
            let before = read(&mut transaction, bucket, key, LOCK).await?;
            if before.is_none_or(|before| before.len() < value.len()) {
                return Err(full);
            }
            write(&mut transaction, bucket, key, &value).await?;
        }
        transaction.commit().await.map_err(failed("write state"))
    }

    async fn delete(&self, bucket: Bucket<'_>, key: &str) -> Result<bool> {
        check_key(bucket, key)?;
        sqlx::query(
            "DELETE FROM state \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND bucket = $4 AND key = $5",
        )
        .bind_at((bucket.scope, bucket.plugin))
        .bind(bucket.name)
        .bind(key)
        .execute(&self.writer)
        .await
        .map(|done| done.rows_affected() > 0)
        .map_err(failed("delete state"))
    }

    async fn exists(&self, bucket: Bucket<'_>, key: &str) -> Result<bool> {
        check_key(bucket, key)?;
        let row = sqlx::query(
            "SELECT 1 FROM state \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND bucket = $4 AND key = $5",
        )
        .bind_at((bucket.scope, bucket.plugin))
        .bind(bucket.name)
        .bind(key)
        .fetch_optional(&self.readers)
        .await
        .map_err(failed("read state"))?;
        Ok(row.is_some())
    }

    async fn list(&self, bucket: Bucket<'_>, cursor: Cursor<'_>) -> Result<Page<String>> {
        check_key(bucket, cursor.after.unwrap_or_default())?;
        // The first page is no "after the empty text", for a key may be empty.
        let select = match cursor.after {
            None => {
                "SELECT key FROM state WHERE tenant = $1 AND environment = $2 AND plugin = $3 \
                 AND bucket = $4 AND key >= $5 ORDER BY key LIMIT $6"
            }
            Some(_) => {
                "SELECT key FROM state WHERE tenant = $1 AND environment = $2 AND plugin = $3 \
                 AND bucket = $4 AND key > $5 ORDER BY key LIMIT $6"
            }
        };
        let rows: Vec<(String,)> = sqlx::query_as(select)
            .bind_at((bucket.scope, bucket.plugin))
            .bind(bucket.name)
            .bind(cursor.after.unwrap_or_default())
            .bind(cursor.rows())
            .fetch_all(&self.readers)
            .await
            .map_err(failed("list state"))?;
        let keys = rows.into_iter().map(|(key,)| key).collect();
        Ok(cursor.page(keys, String::clone))
    }

    async fn increment(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        delta: i64,
        room: StateRoom,
    ) -> Result<i64> {
        check_key(bucket, key)?;
        let mut transaction = self.write().await?;
        // There must be a row to lock: of two that count from nothing, one waits for the other.
        if claim(&mut transaction, bucket, key, b"0").await? {
            // A number that is there grows by a few digits at most: it is not held against the room again.
            check(&mut transaction, bucket, room).await?;
        }
        let value = read(&mut transaction, bucket, key, LOCK).await?;
        let sum = sum(key, value, delta)?;
        write(&mut transaction, bucket, key, sum.to_string().as_bytes()).await?;
        transaction.commit().await.map_err(failed("write state"))?;
        Ok(sum)
    }

    async fn compare_and_set(
        &self,
        bucket: Bucket<'_>,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<Bytes>,
        room: StateRoom,
    ) -> Result<bool> {
        check_key(bucket, key)?;
        let mut transaction = self.write().await?;
        let made = match (expected, &new) {
            (None, None) => {
                let value = read(&mut transaction, bucket, key, "").await?;
                return Ok(value.is_none());
            }
            (None, Some(new)) => claim(&mut transaction, bucket, key, new).await?,
            (Some(expected), new) => {
                exchange(&mut transaction, bucket, key, expected, new.as_deref()).await?
            }
        };
        let before = expected.map_or(0, <[u8]>::len);
        let grows = new.is_some_and(|new| expected.is_none() || new.len() > before);
        if made && grows {
            check(&mut transaction, bucket, room).await?;
        }
        transaction.commit().await.map_err(failed("write state"))?;
        Ok(made)
    }
}
