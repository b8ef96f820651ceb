//! What double runs found of releases, in the database.

use tenterhook_domain::{Result, audit::Author, double_run::DoubleRunFinding};

use super::{BindAt as _, Db, audit, failed, plugin::lock, to_json};
use crate::ReleaseKey;

/// Keeps the first finding of a release that is there. False where it has one, or is no more.
pub(super) async fn note(
    db: &Db,
    key: &ReleaseKey,
    finding: &DoubleRunFinding,
    author: &Author,
) -> Result<bool> {
    let at = (&key.scope, &key.plugin);
    let mut transaction = db.write().await?;
    lock(&mut transaction, at).await?;
    let done = sqlx::query(
        "UPDATE releases SET double_run = $1 \
         WHERE tenant = $2 AND environment = $3 AND plugin = $4 AND digest = $5 AND double_run IS NULL",
    )
    .bind(to_json(finding)?)
    .bind_at(at)
    .bind(key.digest.to_string())
    .execute(&mut *transaction)
    .await
    .map_err(failed("write what a double run found"))?;
    let is_first = done.rows_affected() > 0;
    if is_first {
        let action = [("non-deterministic", Some(key.digest), finding.detail())];
        audit::write(&mut transaction, at, &action, author, finding.found_at).await?;
    }
    // No host remembers what is found of a release, so none has to hear of it.
    transaction
        .commit()
        .await
        .map_err(failed("write what a double run found"))?;
    Ok(is_first)
}
