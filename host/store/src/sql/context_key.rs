//! Context keys in the database.

use async_trait::async_trait;
use tenterhook_domain::{
    Code, Error, Result,
    audit::Author,
    context::{CONTEXT_KEYS_MAX, ContextKeySet, KeptContextKey},
};

use super::{Connection, Db, audit, failed, lock_context_keys, number, unreadable};
use crate::ContextKeyRing;

const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
/// What a rotation is named in the audit log.
const ACTION: &str = "context-key";

async fn load(connection: &mut Connection) -> Result<Option<ContextKeySet>> {
    let rows: Vec<(String, Vec<u8>, i64, i64)> = sqlx::query_as(
        "SELECT id, secret, made_at, signs_from FROM context_keys ORDER BY number DESC",
    )
    .fetch_all(connection)
    .await
    .map_err(failed("read the context keys"))?;
    let key = |(id, secret, made_at, signs_from): (String, Vec<u8>, i64, i64)| {
        let secret: [u8; SECRET_BYTES] = secret
            .as_slice()
            .try_into()
            .map_err(unreadable("a context key"))?;
        Ok(KeptContextKey {
            id,
            secret,
            made_at: made_at.unsigned_abs(),
            signs_from: signs_from.unsigned_abs(),
        })
    };
    let keys = rows.into_iter().map(key).collect::<Result<Vec<_>>>()?;
    Ok(ContextKeySet::new(keys))
}

/// Makes a key. Answers its id.
async fn add(connection: &mut Connection, signs_from: u64, now: u64) -> Result<String> {
    let mut random = [0; ID_BYTES + SECRET_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        Error::new(Code::Internal, "the system gives no randomness").caused_by(error.to_string())
    })?;
    let id = hex::encode(&random[..ID_BYTES]);
    sqlx::query(
        "INSERT INTO context_keys (id, secret, made_at, signs_from) VALUES ($1, $2, $3, $4)",
    )
    .bind(id.as_str())
    .bind(&random[ID_BYTES..])
    .bind(number(now))
    .bind(number(signs_from))
    .execute(connection)
    .await
    .map_err(failed("keep a context key"))?;
    Ok(id)
}

fn check_room(keys: &ContextKeySet) -> Result<()> {
    if !keys.is_full() {
        return Ok(());
    }
    Err(Error::new(
        Code::ContextKeysFull,
        format!(
            "there are {CONTEXT_KEYS_MAX} context keys and no room for another: none may be dropped while what it signed \
             may be open"
        ),
    ))
}

impl Db {
    /// Makes the first key, unless another host did.
    async fn create(&self, now: u64) -> Result<ContextKeySet> {
        let mut transaction = self.write().await?;
        // Of hosts that start at once on an empty database, the first makes the key and the others read it.
        lock_context_keys(&mut transaction).await?;
        if load(&mut transaction).await?.is_none() {
            add(&mut transaction, now, now).await?;
        }
        let keys = all(&mut transaction).await?;
        let kept = transaction.commit().await;
        kept.map_err(failed("keep a context key"))?;
        Ok(keys)
    }
}

/// The keys, of which there is one.
async fn all(connection: &mut Connection) -> Result<ContextKeySet> {
    load(connection).await?.ok_or_else(|| {
        Error::new(
            Code::Internal,
            "the context key is gone right after it was made",
        )
    })
}

#[async_trait]
impl ContextKeyRing for Db {
    async fn load_or_create(&self, now_millis: u64) -> Result<ContextKeySet> {
        let mut connection = self.reader().await?;
        let found = load(&mut connection).await?;
        drop(connection);
        match found {
            Some(keys) => Ok(keys),
            None => self.create(now_millis).await,
        }
    }

    async fn rotate(
        &self,
        signs_from: u64,
        author: &Author,
        now_millis: u64,
    ) -> Result<ContextKeySet> {
        let mut transaction = self.write().await?;
        lock_context_keys(&mut transaction).await?;
        if let Some(keys) = load(&mut transaction).await? {
            check_room(&keys)?;
        }
        let id = add(&mut transaction, signs_from, now_millis).await?;
        let after = signs_from.saturating_sub(now_millis);
        let action = (
            ACTION,
            None,
            format!("made {id}, which signs after {after} ms"),
        );
        audit::write_of_hosts(&mut transaction, action, author, now_millis).await?;
        let keys = all(&mut transaction).await?;
        let kept = transaction.commit().await;
        kept.map_err(failed("keep a context key"))?;
        Ok(keys)
    }
}
