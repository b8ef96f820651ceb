//! Long lists in batches, with a heartbeat after each, so that an attempt goes on where the one before stopped.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::context::ActivityContext;
use crate::error::ActivityError;
use crate::log::{self, Level};

/// A walk through a list by position, that survives the attempt.
///
/// After each batch the position and a tally of the author's go to the host with a heartbeat; the next attempt begins
/// there. The list must be the same, in the same order, in every attempt. The host throttles heartbeats, so after a
/// host's sudden death the last batches may be made again: give providers [`item_key`](Self::item_key), which is the same
/// for an item in every attempt.
///
/// ```ignore
/// #[derive(Default, Serialize, Deserialize)]
/// struct Tally { deleted: u64, failed: Vec<String> }
///
/// let mut batches = Batches::<Tally>::resume(ctx, ids.len(), 100);
/// while let Some(batch) = batches.next_batch()? {
///     for at in batch {
///         match delete(&ids[at], &batches.item_key(at)) {
///             Ok(()) => batches.tally.deleted += 1,
///             Err(_) => batches.tally.failed.push(ids[at].clone()),
///         }
///     }
/// }
/// let tally = batches.tally;
/// ```
///
/// The workflow sets [`heartbeat_timeout`](crate::ActivityCall::heartbeat_timeout), longer than one batch takes.
#[derive(Debug)]
pub struct Batches<'a, T = ()> {
    ctx: &'a ActivityContext,
    len: usize,
    size: usize,
    /// Everything before it is done.
    done: usize,
    /// Where the batch under way ends.
    end: usize,
    resumed_from: usize,
    /// What the author counts; it goes with each heartbeat, so it should stay small.
    pub tally: T,
}

/// What a heartbeat carries.
#[derive(Serialize, Deserialize)]
struct Position<T> {
    done: usize,
    tally: T,
}

impl<'a, T> Batches<'a, T>
where
    T: Serialize + DeserializeOwned + Default + 'static,
{
    /// A walk through `len` items, `size` at a time (at least one), from where the attempt before stopped.
    ///
    /// A position that cannot be read, because another release wrote another tally, is said in the log, and the walk
    /// begins anew.
    #[must_use]
    pub fn resume(ctx: &'a ActivityContext, len: usize, size: usize) -> Self {
        let position = match ctx.heartbeat_details::<Position<T>>() {
            Ok(position) => position,
            Err(error) => {
                let message = format!("the batches begin anew: {error}");
                log::write(Level::Warn, module_path!(), &message);
                None
            }
        };
        let Position { done, tally } = position.unwrap_or(Position {
            done: 0,
            tally: T::default(),
        });
        let done = done.min(len);
        Self {
            ctx,
            len,
            size: size.max(1),
            done,
            end: done,
            resumed_from: done,
            tally,
        }
    }

    /// Where the next batch lies; `None` after the last. Says before, by heartbeat, that the one before is done.
    ///
    /// # Errors
    /// [`ActivityError::cancelled`] once the host wants the attempt to end: what is done is kept. `ValidationError` if
    /// the tally has no JSON.
    pub fn next_batch(&mut self) -> Result<Option<Range<usize>>, ActivityError> {
        self.done = self.end;
        let position = Position {
            done: self.done,
            tally: std::mem::take(&mut self.tally),
        };
        let said = self.ctx.heartbeat(&position);
        self.tally = position.tally;
        said?;
        if self.done == self.len {
            return Ok(None);
        }
        self.ctx.check_cancelled()?;
        self.end = self.len.min(self.done.saturating_add(self.size));
        Ok(Some(self.done..self.end))
    }

    /// The idempotency key of one item: the same in every attempt, different for every other item.
    #[must_use]
    pub fn item_key(&self, at: usize) -> String {
        format!("{}/{at}", self.ctx.idempotency_key())
    }

    /// Where this attempt began: 0, or where the one before had stopped.
    #[must_use]
    pub fn resumed_from(&self) -> usize {
        self.resumed_from
    }
}
