//! API tokens, of which only a hash is kept.

use async_trait::async_trait;
use tenterhook_domain::{Result, TenantId, execution::Page, token::TokenRecord};

use crate::{Cursor, PAGE_ITEMS_MAX};

/// Who may call the API.
///
/// # Errors
/// Every operation: `store-failed`.
#[async_trait]
pub trait Tokens: Send + Sync + 'static {
    /// Keeps a new token. `tenant-not-found` when it speaks for a tenant that is not there.
    async fn insert(&self, token: &TokenRecord) -> Result<()>;
    /// The token of that public id.
    async fn find(&self, id: &str) -> Result<Option<TokenRecord>>;
    /// All tokens by id.
    async fn list(&self, cursor: Cursor<'_>) -> Result<Page<TokenRecord>>;
    /// Tokens of one tenant by id. There are few tokens, so that looking through them will do.
    async fn list_of(&self, tenant: &TenantId, cursor: Cursor<'_>) -> Result<Page<TokenRecord>> {
        let mut found: Vec<TokenRecord> = Vec::new();
        let mut after = cursor.after.map(str::to_owned);
        while found.len() <= cursor.limit() {
            let page = self
                .list(Cursor {
                    after: after.as_deref(),
                    limit: PAGE_ITEMS_MAX,
                })
                .await?;
            let own = |token: &TokenRecord| token.principal.tenant() == Some(tenant);
            found.extend(page.items.into_iter().filter(own));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(cursor.page(found, |token: &TokenRecord| token.id.clone()))
    }
    /// Forgets it; false when there was none.
    async fn delete(&self, id: &str) -> Result<bool>;
}
