//! API tokens, of which only a hash is kept.

use async_trait::async_trait;
use tenterhook_domain::{Result, execution::Page, token::TokenRecord};

use crate::Cursor;

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
    /// Forgets it; false when there was none.
    async fn delete(&self, id: &str) -> Result<bool>;
}
