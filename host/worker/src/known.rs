//! What the store answered, remembered until a change of it is heard.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tenterhook_domain::{PluginName, Scope};
use tenterhook_store::{Change, ChangeListener};

/// Answers that are remembered; one over it forgets all, which costs one read each.
const ANSWERS_MAX: usize = 10_000;

/// The store's answers by what they are of.
pub(crate) struct Known<K, V> {
    heard: Mutex<Heard<K, V>>,
    /// What a change of a plugin is a change of.
    changed: fn(Scope, PluginName) -> K,
}

struct Heard<K, V> {
    /// False beside what may have changed since it was read: it serves only while the store does not answer.
    answers: HashMap<K, (V, bool)>,
    changes: ChangeListener,
    /// Changes that were heard so far.
    number: u64,
}

/// A moment before the store is asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked(u64);

impl<K: Eq + Hash, V: Clone> Known<K, V> {
    /// Nothing yet. `changes` is subscribed to before the first read.
    pub(crate) fn new(changes: ChangeListener, changed: fn(Scope, PluginName) -> K) -> Self {
        let heard = Heard {
            answers: HashMap::new(),
            changes,
            number: 0,
        };
        Self {
            heard: Mutex::new(heard),
            changed,
        }
    }

    /// What has been told by now is heard.
    fn hear(&self) -> MutexGuard<'_, Heard<K, V>> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(change) = heard.changes.try_next() {
            heard.number += 1;
            match change {
                Change::Plugin(scope, plugin) => {
                    let key = (self.changed)(scope, plugin);
                    if let Some((_, fresh)) = heard.answers.get_mut(&key) {
                        *fresh = false;
                    }
                }
                Change::Missed => {
                    for (_, fresh) in heard.answers.values_mut() {
                        *fresh = false;
                    }
                }
            }
        }
        heard
    }

    /// The answer as of the last answered change; none where something changed since it was read.
    pub(crate) fn recall(&self, key: &K) -> Option<V> {
        let heard = self.hear();
        let (answer, fresh) = heard.answers.get(key)?;
        fresh.then(|| answer.clone())
    }

    /// The last answer there was, for as long as there is no other.
    pub(crate) fn last(&self, key: &K) -> Option<V> {
        let heard = self.hear();
        heard.answers.get(key).map(|(answer, _)| answer.clone())
    }

    /// All answers, the stale ones too.
    pub(crate) fn all(&self) -> Vec<V> {
        let heard = self.hear();
        let answers = heard.answers.values();
        answers.map(|(answer, _)| answer.clone()).collect()
    }

    /// To be called before the store is asked.
    pub(crate) fn asks(&self) -> Asked {
        Asked(self.hear().number)
    }

    /// Remembers what the store said, unless something changed since it was asked, whoever heard of that: the answer
    /// may be from before, and the next one asks again.
    pub(crate) fn learn(&self, asked: Asked, key: K, answer: V) {
        let mut heard = self.hear();
        if heard.number != asked.0 {
            return;
        }
        if heard.answers.len() >= ANSWERS_MAX {
            heard.answers.clear();
        }
        heard.answers.insert(key, (answer, true));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tenterhook_store::Changes;

    use super::*;

    fn known(changes: &Changes) -> Known<PluginName, u32> {
        Known::new(changes.subscribe(), |_, plugin| plugin)
    }

    fn plugin() -> PluginName {
        "payment".parse().unwrap()
    }

    fn change(changes: &Changes) {
        changes.announce(&"acme/production".parse().unwrap(), &plugin());
    }

    #[test]
    fn what_was_read_is_known_until_it_changes_and_serves_on_while_there_is_no_other() {
        let changes = Changes::default();
        let known = known(&changes);
        known.learn(known.asks(), plugin(), 1);
        assert_eq!(known.recall(&plugin()), Some(1));
        change(&changes);
        assert_eq!(known.recall(&plugin()), None);
        assert_eq!(known.last(&plugin()), Some(1));
        assert_eq!(known.all(), [1]);
        known.learn(known.asks(), plugin(), 2);
        assert_eq!(known.recall(&plugin()), Some(2));
        changes.announce_missed();
        assert_eq!(known.recall(&plugin()), None);
    }

    #[test]
    fn an_answer_from_before_a_change_is_not_kept_also_where_another_heard_of_the_change() {
        let changes = Changes::default();
        let known = known(&changes);
        let slow = known.asks();
        change(&changes);
        // Somebody else hears of it, asks and learns while the first answer is on its way.
        assert_eq!(known.recall(&plugin()), None);
        known.learn(known.asks(), plugin(), 2);
        known.learn(slow, plugin(), 1);
        assert_eq!(known.recall(&plugin()), Some(2));
    }
}
