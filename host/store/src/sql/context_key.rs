//! Context keys in the database.

use async_trait::async_trait;
use tenterhook_domain::{
    Code, Error, Result,
    context::{ContextKey, ContextKeys},
};

use super::{Connection, Db, failed, lock_context_keys, unreadable};
use crate::{CONTEXT_KEYS_MAX, ContextKeyRing};

const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

async fn load(connection: &mut Connection) -> Result<Option<ContextKeys>> {
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT id, secret FROM context_keys ORDER BY number DESC")
            .fetch_all(connection)
            .await
            .map_err(failed("read the context keys"))?;
    let mut keys = rows
        .into_iter()
        .map(|(id, secret)| {
            let secret: [u8; SECRET_BYTES] = secret
                .as_slice()
                .try_into()
                .map_err(unreadable("a context key"))?;
            Ok(ContextKey::new(id, secret))
        })
        .collect::<Result<Vec<_>>>()?
        .into_iter();
    Ok(keys
        .next()
        .map(|signing| ContextKeys::new(signing, keys.collect())))
}

async fn add(connection: &mut Connection) -> Result<()> {
    let mut random = [0; ID_BYTES + SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(Code::Internal, "the system gives no randomness").caused_by(error.to_string())
    })?;
    sqlx::query("INSERT INTO context_keys (id, secret) VALUES ($1, $2)")
        .bind(hex::encode(&random[..ID_BYTES]))
        .bind(&random[ID_BYTES..])
        .execute(&mut *connection)
        .await
        .map_err(failed("keep a context key"))?;
    sqlx::query(
        "DELETE FROM context_keys WHERE number NOT IN \
         (SELECT number FROM context_keys ORDER BY number DESC LIMIT $1)",
    )
    .bind(i64::try_from(CONTEXT_KEYS_MAX).unwrap_or(i64::MAX))
    .execute(connection)
    .await
    .map_err(failed("drop old context keys"))
    .map(|_| ())
}

impl Db {
    async fn keys(&self, renew: bool) -> Result<ContextKeys> {
        let mut transaction = self.write().await?;
        // Of hosts that start at once on an empty database, the first makes the key and the others read it.
        lock_context_keys(&mut transaction).await?;
        let found = load(&mut transaction).await?;
        let keys = match found {
            Some(keys) if !renew => keys,
            _ => {
                add(&mut transaction).await?;
                load(&mut transaction).await?.ok_or_else(|| {
                    Error::new(
                        Code::Internal,
                        "the context key is gone right after it was made",
                    )
                })?
            }
        };
        transaction
            .commit()
            .await
            .map_err(failed("keep a context key"))?;
        Ok(keys)
    }
}

#[async_trait]
impl ContextKeyRing for Db {
    async fn load_or_create(&self) -> Result<ContextKeys> {
        self.keys(false).await
    }

    async fn rotate(&self) -> Result<ContextKeys> {
        self.keys(true).await
    }
}
