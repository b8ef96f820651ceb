//! Tokens in SQLite.

use async_trait::async_trait;
use tenterhook_domain::{
    Result,
    execution::Page,
    token::{Principal, TokenRecord},
};

use super::{Sqlite, failed, tenant::require_tenant, unreadable};
use crate::{Cursor, Tokens};

type Row = (String, Vec<u8>, Option<String>);

fn read((id, secret_hash, tenant): Row) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id,
        secret_hash: secret_hash
            .as_slice()
            .try_into()
            .map_err(unreadable("a token"))?,
        principal: match tenant {
            None => Principal::Admin,
            Some(tenant) => Principal::Tenant(tenant.parse().map_err(unreadable("a token"))?),
        },
    })
}

#[async_trait]
impl Tokens for Sqlite {
    async fn insert(&self, token: &TokenRecord) -> Result<()> {
        let mut transaction = self.write().await?;
        let tenant = match &token.principal {
            Principal::Admin => None,
            Principal::Tenant(tenant) => Some(tenant),
        };
        if let Some(tenant) = tenant {
            require_tenant(&mut transaction, tenant).await?;
        }
        sqlx::query("INSERT INTO tokens (id, secret_hash, tenant) VALUES (?, ?, ?)")
            .bind(token.id.as_str())
            .bind(token.secret_hash.as_slice())
            .bind(tenant.map(|tenant| tenant.as_str()))
            .execute(&mut *transaction)
            .await
            .map_err(failed("keep a token"))?;
        transaction.commit().await.map_err(failed("keep a token"))
    }

    async fn find(&self, id: &str) -> Result<Option<TokenRecord>> {
        let row: Option<Row> =
            sqlx::query_as("SELECT id, secret_hash, tenant FROM tokens WHERE id = ?")
                .bind(id)
                .fetch_optional(&self.readers)
                .await
                .map_err(failed("look for a token"))?;
        row.map(read).transpose()
    }

    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<TokenRecord>> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, secret_hash, tenant FROM tokens WHERE id > ? ORDER BY id LIMIT ?",
        )
        .bind(cursor.after.unwrap_or_default())
        .bind(cursor.rows())
        .fetch_all(&self.readers)
        .await
        .map_err(failed("list tokens"))?;
        let tokens = rows.into_iter().map(read).collect::<Result<_>>()?;
        Ok(cursor.page(tokens, |token: &TokenRecord| token.id.clone()))
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        sqlx::query("DELETE FROM tokens WHERE id = ?")
            .bind(id)
            .execute(&self.writer)
            .await
            .map(|done| done.rows_affected() > 0)
            .map_err(failed("delete a token"))
    }
}
