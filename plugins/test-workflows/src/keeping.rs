//! Activities on what the plugin keeps and is given, as one group: key-value state, batches, configuration.

use serde::{Deserialize, Serialize};
use tenterhook_sdk::batch::Batches;
use tenterhook_sdk::{ActivityContext, ActivityError, JsonSchema, activities, config, kv, payload};

/// The group.
#[derive(Default)]
pub(crate) struct Keeping;

/// What [`CompareAndSet`] does.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Swapping {
    pub(crate) key: String,
    pub(crate) expected: Option<String>,
    pub(crate) new: Option<String>,
}

/// What [`Walk`] walks.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Walking {
    pub(crate) items: usize,
    pub(crate) size: usize,
    /// The first attempt fails, retryably, before this item.
    #[serde(default)]
    pub(crate) fails_at: Option<usize>,
}

/// What [`Walk`] saw: over all attempts, but for the first field.
#[payload]
#[derive(Clone, Debug, Default)]
pub(crate) struct Walked {
    /// Where the last attempt began.
    pub(crate) resumed_from: usize,
    pub(crate) items: Vec<usize>,
    pub(crate) last_key: String,
}

/// What the tenant configured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Settings {
    pub(crate) greeting: String,
    pub(crate) fetch_url: Option<String>,
}

#[activities]
impl Keeping {
    /// Where the counter stands, and its last step.
    const KEYS: [&'static str; 2] = ["counter", "last"];

    /// Adds to a counter in the plugin's key-value state.
    #[activity]
    pub(crate) fn add_to_counter(
        &self,
        _: &ActivityContext,
        input: u64,
    ) -> Result<u64, ActivityError> {
        let bucket = kv::open_default()?;
        let [counter, last] = Self::KEYS;
        bucket.set(last, &input)?;
        bucket.increment(counter, input)
    }

    /// Changes a key if it has the value that its input expects.
    #[activity]
    pub(crate) fn compare_and_set(
        &self,
        _: &ActivityContext,
        input: Swapping,
    ) -> Result<bool, ActivityError> {
        let (expected, new) = (input.expected.as_deref(), input.new.as_deref());
        kv::open_default()?.compare_and_set(
            &input.key,
            expected.map(str::as_bytes),
            new.map(str::as_bytes),
        )
    }

    /// Adds a word to a list, whoever else adds at the same time, and answers with the list.
    #[activity]
    pub(crate) fn remember(
        _: &ActivityContext,
        word: String,
    ) -> Result<Vec<String>, ActivityError> {
        let words = kv::open_default()?.update("words", |words: Option<Vec<String>>| {
            let mut words = words.unwrap_or_default();
            words.push(word.clone());
            Some(words)
        })?;
        Ok(words.unwrap_or_default())
    }

    /// Walks through a list in batches, and goes on where the attempt before stopped.
    #[activity]
    pub(crate) fn walk(ctx: &ActivityContext, input: Walking) -> Result<Walked, ActivityError> {
        let mut batches = Batches::<Walked>::resume(ctx, input.items, input.size);
        batches.tally.resumed_from = batches.resumed_from();
        while let Some(batch) = batches.next_batch()? {
            for item in batch {
                if ctx.attempt() == 1 && input.fails_at == Some(item) {
                    return Err(ActivityError::network(format!("cut before item {item}")));
                }
                batches.tally.last_key = batches.item_key(item);
                batches.tally.items.push(item);
            }
        }
        Ok(batches.tally)
    }

    /// Answers with the tenant's configuration.
    #[activity]
    pub(crate) fn read_settings(_: &ActivityContext) -> Result<Settings, ActivityError> {
        config::load()
    }
}
