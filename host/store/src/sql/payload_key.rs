//! The data keys of tenants, in the database.

use async_trait::async_trait;
use tenterhook_domain::{
    Code, Error, Result, TenantId,
    audit::Author,
    payload_key::{Encryption, PAYLOAD_KEYS_MAX, SealedPayloadKey},
};

use super::{
    Connection, Db, LOCK, audit, failed, number, tenant::require_tenant, to_the_end, unreadable,
};
use crate::{PayloadKeys, TenantEncryption};

/// What a change is named in the audit log.
const ACTION: &str = "encryption";

/// How a tenant's payloads are encrypted; `lock` is the word that holds its row until the transaction ends.
async fn read(
    connection: &mut Connection,
    tenant: &TenantId,
    lock: &str,
) -> Result<TenantEncryption> {
    let found: Option<(String,)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT encryption FROM tenants WHERE tenant = $1{lock}"
    )))
    .bind(tenant.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed("read how a tenant's payloads are encrypted"))?;
    let Some((word,)) = found else {
        let gone = require_tenant(connection, tenant).await.err();
        return Err(gone.unwrap_or_else(|| failed("find a tenant")(sqlx::Error::RowNotFound)));
    };
    let encryption = Encryption::of_text(&word)
        .ok_or_else(|| unreadable("how payloads are encrypted")(format!("{word:?}")))?;
    let rows: Vec<(String, String, Vec<u8>, i64)> = sqlx::query_as(
        "SELECT id, key_id, data_key, made_at FROM payload_keys WHERE tenant = $1 \
         ORDER BY number DESC",
    )
    .bind(tenant.as_str())
    .fetch_all(connection)
    .await
    .map_err(failed("read payload keys"))?;
    let keys = rows.into_iter().map(sealed_key).collect();
    Ok(TenantEncryption { encryption, keys })
}

fn sealed_key((id, under, sealed, made_at): (String, String, Vec<u8>, i64)) -> SealedPayloadKey {
    SealedPayloadKey {
        id,
        under,
        sealed,
        made_at: made_at.unsigned_abs(),
    }
}

async fn add(connection: &mut Connection, tenant: &TenantId, key: &SealedPayloadKey) -> Result<()> {
    sqlx::query(
        "INSERT INTO payload_keys (tenant, id, key_id, data_key, made_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(key.id.as_str())
    .bind(key.under.as_str())
    .bind(key.sealed.as_slice())
    .bind(number(key.made_at))
    .execute(connection)
    .await
    .map_err(failed("keep a payload key"))
    .map(|_| ())
}

async fn set(connection: &mut Connection, tenant: &TenantId, encryption: Encryption) -> Result<()> {
    sqlx::query("UPDATE tenants SET encryption = $1 WHERE tenant = $2")
        .bind(encryption.as_str())
        .bind(tenant.as_str())
        .execute(connection)
        .await
        .map_err(failed("change how a tenant's payloads are encrypted"))
        .map(|_| ())
}

/// What is done to a tenant's keys.
#[derive(Clone)]
enum Change {
    On(SealedPayloadKey),
    Off,
    Rotate(SealedPayloadKey),
    Shred,
}

impl Change {
    /// Does it to what was `found`, and says what was done, for the audit log.
    async fn make(
        &self,
        connection: &mut Connection,
        tenant: &TenantId,
        found: &TenantEncryption,
    ) -> Result<String> {
        match self {
            Self::On(first) => {
                set(connection, tenant, Encryption::On).await?;
                if let Some(newest) = found.keys.first() {
                    return Ok(format!("on, under key {}", newest.id));
                }
                add(connection, tenant, first).await?;
                Ok(format!("on, under the new key {}", first.id))
            }
            Self::Off => {
                set(connection, tenant, Encryption::Off).await?;
                Ok("off".to_owned())
            }
            Self::Rotate(newest) => {
                may_rotate(tenant, found)?;
                add(connection, tenant, newest).await?;
                Ok(format!("under the new key {}", newest.id))
            }
            Self::Shred => {
                set(connection, tenant, Encryption::Shredded).await?;
                sqlx::query("DELETE FROM payload_keys WHERE tenant = $1")
                    .bind(tenant.as_str())
                    .execute(connection)
                    .await
                    .map_err(failed("delete payload keys"))?;
                Ok(format!("shredded: {} keys deleted", found.keys.len()))
            }
        }
    }
}

fn may_rotate(tenant: &TenantId, found: &TenantEncryption) -> Result<()> {
    let why = if found.encryption != Encryption::On {
        format!("the payloads of tenant {tenant} are not encrypted: turn that on first")
    } else if found.keys.len() >= PAYLOAD_KEYS_MAX {
        format!("tenant {tenant} has {PAYLOAD_KEYS_MAX} payload keys, and no room for another")
    } else {
        return Ok(());
    };
    Err(Error::new(Code::EncryptionConflict, why))
}

impl Db {
    /// Makes a change and tells of it. Answers how it was before.
    async fn change_encryption(
        &self,
        tenant: &TenantId,
        change: Change,
        author: &Author,
        now: u64,
    ) -> Result<TenantEncryption> {
        let (this, tenant, author) = (self.clone(), tenant.clone(), author.clone());
        to_the_end(async move {
            let mut transaction = this.write().await?;
            let found = read(&mut transaction, &tenant, LOCK).await?;
            let done = change.make(&mut transaction, &tenant, &found).await?;
            let action = (ACTION, None, done);
            audit::write_of_tenant(&mut transaction, &tenant, action, &author, now).await?;
            this.tell_of_tenant(transaction, &tenant).await?;
            Ok(found)
        })
        .await
    }
}

#[async_trait]
impl PayloadKeys for Db {
    async fn encryption(&self, tenant: &TenantId) -> Result<TenantEncryption> {
        let mut connection = self.reader().await?;
        read(&mut connection, tenant, "").await
    }

    async fn encrypt(
        &self,
        tenant: &TenantId,
        first: &SealedPayloadKey,
        author: &Author,
        now_millis: u64,
    ) -> Result<TenantEncryption> {
        let change = Change::On(first.clone());
        self.change_encryption(tenant, change, author, now_millis)
            .await?;
        self.encryption(tenant).await
    }

    async fn leave_plain(
        &self,
        tenant: &TenantId,
        author: &Author,
        now_millis: u64,
    ) -> Result<TenantEncryption> {
        self.change_encryption(tenant, Change::Off, author, now_millis)
            .await?;
        self.encryption(tenant).await
    }

    async fn rotate(
        &self,
        tenant: &TenantId,
        newest: &SealedPayloadKey,
        author: &Author,
        now_millis: u64,
    ) -> Result<TenantEncryption> {
        let change = Change::Rotate(newest.clone());
        self.change_encryption(tenant, change, author, now_millis)
            .await?;
        self.encryption(tenant).await
    }

    async fn shred(&self, tenant: &TenantId, author: &Author, now_millis: u64) -> Result<u64> {
        let before = self
            .change_encryption(tenant, Change::Shred, author, now_millis)
            .await?;
        self.wipe().await;
        Ok(before.keys.len() as u64)
    }

    async fn payload_keys_under(
        &self,
        key: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, SealedPayloadKey)>> {
        let rows: Vec<(String, String, String, Vec<u8>, i64)> = sqlx::query_as(
            "SELECT tenant, id, key_id, data_key, made_at FROM payload_keys WHERE key_id = $1 \
             ORDER BY number LIMIT $2",
        )
        .bind(key)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list payload keys"))?;
        let read = |(tenant, id, under, sealed, made_at): (String, _, _, _, _)| {
            let tenant = tenant.parse().map_err(unreadable("a tenant"))?;
            Ok((tenant, sealed_key((id, under, sealed, made_at))))
        };
        rows.into_iter().map(read).collect()
    }

    async fn payload_keys_not_under(&self, key: &str) -> Result<u64> {
        let (others,): (i64,) =
            sqlx::query_as("SELECT count(*) FROM payload_keys WHERE key_id <> $1")
                .bind(key)
                .fetch_one(&self.readers)
                .await
                .map_err(failed("count payload keys"))?;
        Ok(others.unsigned_abs())
    }

    async fn reseal_payload_key(
        &self,
        tenant: &TenantId,
        from: &SealedPayloadKey,
        to: &SealedPayloadKey,
        author: &Author,
        now_millis: u64,
    ) -> Result<bool> {
        let mut transaction = self.write().await?;
        let done = sqlx::query(
            "UPDATE payload_keys SET key_id = $1, data_key = $2 \
             WHERE tenant = $3 AND id = $4 AND data_key = $5",
        )
        .bind(to.under.as_str())
        .bind(to.sealed.as_slice())
        .bind(tenant.as_str())
        .bind(from.id.as_str())
        .bind(from.sealed.as_slice())
        .execute(&mut *transaction)
        .await
        .map_err(failed("reseal a payload key"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let action = (
            ACTION,
            None,
            format!("resealed {} under key {}", to.id, to.under),
        );
        audit::write_of_tenant(&mut transaction, tenant, action, author, now_millis).await?;
        let done = transaction.commit().await;
        done.map_err(failed("reseal a payload key"))?;
        Ok(true)
    }
}
