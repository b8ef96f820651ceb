//! Lanes of scopes' own in the database.

use async_trait::async_trait;
use tenterhook_domain::{
    Code, Error, Result, Scope,
    audit::Author,
    lane::{LANES_MAX, LaneSettings},
};

use super::{
    Connection, Db, audit, failed, lock_lanes, read_scope, tenant::require_scope, to_json,
    to_the_end, unreadable,
};
use crate::{Lanes, Written};

/// A row: tenant, environment, namespace (empty for the hosts' own), queue, default plugin.
type Row = (String, String, String, String, Option<String>);

fn read(row: Row) -> Result<(Scope, LaneSettings)> {
    let (tenant, environment, namespace, task_queue, default_plugin) = row;
    let plugin = default_plugin.map(|name| name.parse()).transpose();
    let lane = LaneSettings {
        namespace: Some(namespace).filter(|name| !name.is_empty()),
        task_queue,
        default_plugin: plugin.map_err(unreadable("a plugin"))?,
    };
    Ok((read_scope(&tenant, &environment)?, lane))
}

async fn load(connection: &mut Connection) -> Result<Vec<(Scope, LaneSettings)>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT tenant, environment, namespace, task_queue, default_plugin FROM lanes \
         ORDER BY tenant, environment",
    )
    .fetch_all(connection)
    .await
    .map_err(failed("read the lanes"))?;
    rows.into_iter().map(read).collect()
}

/// What keeps `scope` from having `lane`, beside those that there are.
fn conflict(scope: &Scope, lane: &LaneSettings, there: &[(Scope, LaneSettings)]) -> Option<String> {
    let mut others = there.iter().filter(|(other, _)| other != scope);
    if others.clone().count() >= LANES_MAX {
        return Some(format!(
            "there are {LANES_MAX} lanes already, and each takes up its own polls: delete one first"
        ));
    }
    let same = others.find(|(_, other)| {
        other.namespace == lane.namespace
            && (lane.is_apart() || other.task_queue == lane.task_queue)
    });
    same.map(|(_, other)| match &other.namespace {
        Some(namespace) => {
            format!("the namespace {namespace:?} is another scope's lane: each has one alone")
        }
        None => format!(
            "the task queue {:?} is another scope's lane: choose another",
            other.task_queue
        ),
    })
}

impl Db {
    async fn write_lane(
        &self,
        scope: Scope,
        lane: Option<LaneSettings>,
        author: Author,
        now: u64,
    ) -> Result<Written> {
        let mut transaction = self.write().await?;
        require_scope(&mut transaction, &scope).await?;
        lock_lanes(&mut transaction).await?;
        let there = load(&mut transaction).await?;
        let found = there.iter().find(|(it, _)| *it == scope);
        if found.map(|(_, lane)| lane) == lane.as_ref() && lane.is_some() {
            return Ok(Written::Unchanged);
        }
        let detail = match &lane {
            Some(lane) => {
                if let Some(why) = conflict(&scope, lane, &there) {
                    return Err(Error::new(Code::LaneConflict, why));
                }
                to_json(lane)?
            }
            None if found.is_none() => {
                return Err(Error::new(
                    Code::LaneNotFound,
                    format!("{scope} has no lane of its own: it is on the pooled one"),
                ));
            }
            None => "the pooled lane".to_owned(),
        };
        sqlx::query("DELETE FROM lanes WHERE tenant = $1 AND environment = $2")
            .bind(scope.tenant.as_str())
            .bind(scope.environment.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(failed("change a lane"))?;
        if let Some(lane) = &lane {
            sqlx::query(
                "INSERT INTO lanes (tenant, environment, namespace, task_queue, default_plugin) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(scope.tenant.as_str())
            .bind(scope.environment.as_str())
            .bind(lane.namespace.as_deref().unwrap_or_default())
            .bind(lane.task_queue.as_str())
            .bind(lane.default_plugin.as_ref().map(ToString::to_string))
            .execute(&mut *transaction)
            .await
            .map_err(failed("change a lane"))?;
        }
        let action = ("lane", None, detail);
        audit::write_of_scope(&mut transaction, &scope, action, &author, now).await?;
        transaction
            .commit()
            .await
            .map_err(failed("change a lane"))?;
        self.changes.announce_lanes();
        Ok(match found {
            None => Written::Created,
            Some(_) => Written::Unchanged,
        })
    }
}

#[async_trait]
impl Lanes for Db {
    async fn lane(&self, scope: &Scope) -> Result<Option<LaneSettings>> {
        let mut connection = self.reader().await?;
        require_scope(&mut connection, scope).await?;
        let lanes = load(&mut connection).await?.into_iter();
        let mut of_scope = lanes.filter(|(it, _)| it == scope);
        Ok(of_scope.next().map(|(_, lane)| lane))
    }

    async fn put_lane(
        &self,
        scope: &Scope,
        lane: &LaneSettings,
        author: &Author,
        now_millis: u64,
    ) -> Result<Written> {
        lane.check()?;
        let (this, lane) = (self.clone(), Some(lane.clone()));
        let (scope, author) = (scope.clone(), author.clone());
        to_the_end(async move { this.write_lane(scope, lane, author, now_millis).await }).await
    }

    async fn delete_lane(&self, scope: &Scope, author: &Author, now_millis: u64) -> Result<()> {
        let (this, scope, author) = (self.clone(), scope.clone(), author.clone());
        let done =
            to_the_end(async move { this.write_lane(scope, None, author, now_millis).await });
        done.await.map(|_| ())
    }

    async fn all(&self) -> Result<Vec<(Scope, LaneSettings)>> {
        let mut connection = self.reader().await?;
        load(&mut connection).await
    }
}
