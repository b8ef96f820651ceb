//! Task failures in SQLite.

use async_trait::async_trait;
use tenterhook_domain::Result;

use super::{Sqlite, failed};
use crate::{FailedRuns, ReleaseKey, TaskFailures};

fn sql_millis(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

#[async_trait]
impl TaskFailures for Sqlite {
    async fn record(
        &self,
        release: &ReleaseKey,
        run: &str,
        pinned: bool,
        now_millis: u64,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO task_failures (tenant, environment, plugin, digest, run, pinned, at) \
             VALUES (?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET pinned = max(pinned, excluded.pinned)",
        )
        .bind(release.scope.tenant.as_str())
        .bind(release.scope.environment.as_str())
        .bind(release.plugin.as_str())
        .bind(release.digest.to_string())
        .bind(run)
        .bind(i64::from(pinned))
        .bind(sql_millis(now_millis))
        .execute(&self.writer)
        .await
        .map_err(failed("write down a failed task"))?;
        Ok(())
    }

    async fn count(&self, release: &ReleaseKey, since_millis: u64) -> Result<FailedRuns> {
        let (runs, pinned): (i64, i64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(pinned), 0) FROM task_failures \
             WHERE tenant = ? AND environment = ? AND plugin = ? AND digest = ? AND at >= ?",
        )
        .bind(release.scope.tenant.as_str())
        .bind(release.scope.environment.as_str())
        .bind(release.plugin.as_str())
        .bind(release.digest.to_string())
        .bind(sql_millis(since_millis))
        .fetch_one(&self.readers)
        .await
        .map_err(failed("count failed tasks"))?;
        Ok(FailedRuns {
            runs: runs.unsigned_abs(),
            unpinned: runs.abs_diff(pinned),
        })
    }

    async fn forget(&self, before_millis: u64) -> Result<()> {
        sqlx::query("DELETE FROM task_failures WHERE at < ?")
            .bind(sql_millis(before_millis))
            .execute(&self.writer)
            .await
            .map_err(failed("forget failed tasks"))?;
        Ok(())
    }
}
