//! Task failures in the database.

use async_trait::async_trait;
use tenterhook_domain::Result;

use super::{BindAt as _, Db, failed, number};
use crate::{FailedRuns, ReleaseKey, TaskFailures};

#[async_trait]
impl TaskFailures for Db {
    async fn record(
        &self,
        release: &ReleaseKey,
        run: &str,
        pinned: bool,
        now_millis: u64,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO task_failures (tenant, environment, plugin, digest, run, pinned, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (tenant, environment, plugin, digest, run) DO UPDATE SET pinned = \
             CASE WHEN excluded.pinned > task_failures.pinned THEN excluded.pinned ELSE task_failures.pinned END",
        )
        .bind_at((&release.scope, &release.plugin))
        .bind(release.digest.to_string())
        .bind(run)
        .bind(i64::from(pinned))
        .bind(number(now_millis))
        .execute(&self.writer)
        .await
        .map_err(failed("write down a failed task"))?;
        Ok(())
    }

    async fn count(&self, release: &ReleaseKey, since_millis: u64) -> Result<FailedRuns> {
        let (runs, pinned): (i64, i64) = sqlx::query_as(
            "SELECT count(*), CAST(coalesce(sum(pinned), 0) AS BIGINT) FROM task_failures \
             WHERE tenant = $1 AND environment = $2 AND plugin = $3 AND digest = $4 AND at >= $5",
        )
        .bind_at((&release.scope, &release.plugin))
        .bind(release.digest.to_string())
        .bind(number(since_millis))
        .fetch_one(&self.readers)
        .await
        .map_err(failed("count failed tasks"))?;
        Ok(FailedRuns {
            runs: runs.unsigned_abs(),
            unpinned: runs.abs_diff(pinned),
        })
    }

    async fn forget(&self, before_millis: u64) -> Result<()> {
        sqlx::query("DELETE FROM task_failures WHERE at < $1")
            .bind(number(before_millis))
            .execute(&self.writer)
            .await
            .map_err(failed("forget failed tasks"))?;
        Ok(())
    }
}
