//! The keys that sign contexts: which one signs when, and what the others are still good for.
//!
//! The hosts of a database share a set of keys, in the order in which they were made. A new key verifies at once and signs
//! from a stated time on, so that every host knows it before it meets it. The one before is retired then: what began until
//! [`CONTEXT_KEY_GRACE_MILLIS`] later it verifies for ever, and nothing that begins after. So rotations end no execution,
//! and a key that leaks after it was retired begins none.

use std::fmt;

use serde::Serialize;

use super::ContextKeys;

/// Most keys of one set. None is dropped, for an open execution may need the oldest, so no more are made.
pub const CONTEXT_KEYS_MAX: usize = 100;
/// After how long a new key signs where nobody says otherwise, in milliseconds: hosts look for new keys every second.
pub const CONTEXT_KEY_DELAY_MILLIS: u64 = 60_000;
/// Longest that a new key may wait before it signs, in milliseconds.
pub const CONTEXT_KEY_DELAY_MILLIS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// How long after it was retired a key still verifies what begins, in milliseconds: what it signed last is on its way,
/// schedules have to be signed anew, and clocks differ.
pub const CONTEXT_KEY_GRACE_MILLIS: u64 = 60 * 60 * 1_000;

/// A secret that signs contexts.
#[derive(Clone)]
pub struct ContextKey {
    pub(super) id: String,
    pub(super) secret: [u8; 32],
    /// When what it signed must have begun at the latest. None while no other is to sign in its place.
    pub(super) begins_by: Option<u64>,
}

impl ContextKey {
    /// A key of its public id and its secret, which no other is to follow.
    pub fn new(id: impl Into<String>, secret: [u8; 32]) -> Self {
        Self {
            id: id.into(),
            secret,
            begins_by: None,
        }
    }
}

impl fmt::Debug for ContextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextKey")
            .field("id", &self.id)
            .field("begins_by", &self.begins_by)
            .finish_non_exhaustive()
    }
}

/// A key as the store keeps it. Times are in milliseconds since the Unix epoch.
#[derive(Clone)]
pub struct KeptContextKey {
    /// Its public id: it stands in the headers that it signs.
    pub id: String,
    /// Its secret.
    pub secret: [u8; 32],
    /// When it was made.
    pub made_at: u64,
    /// From when on it signs.
    pub signs_from: u64,
}

impl fmt::Debug for KeptContextKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptContextKey {} from {}", self.id, self.signs_from)
    }
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContextKeyState {
    /// It verifies, and is to sign.
    Coming,
    /// It signs.
    Signing,
    /// It verifies what began before, or soon after.
    Retired,
}

/// What is told of a key: all but its secret. Times are in milliseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ContextKeyEntry {
    /// What it is called in the headers that it signs.
    pub id: String,
    /// What it does.
    pub state: ContextKeyState,
    /// When it was made.
    pub made_at: u64,
    /// From when on it signs.
    pub signs_from: u64,
    /// From when on another key signs in its place, where one is to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retired_at: Option<u64>,
}

/// The keys that the hosts of a database share.
#[derive(Debug, Clone)]
pub struct ContextKeySet {
    /// The newest first; at least one.
    keys: Vec<KeptContextKey>,
}

impl ContextKeySet {
    /// The set of `keys`, the newest first; none where there is none.
    pub fn new(keys: Vec<KeptContextKey>) -> Option<Self> {
        (!keys.is_empty()).then_some(Self { keys })
    }

    /// The keys as they are used at `now_millis`.
    pub fn at(&self, now_millis: u64) -> ContextKeys {
        let due = self
            .keys
            .iter()
            .position(|key| key.signs_from <= now_millis);
        // A host whose clock is behind may read the very first key before its time.
        let signing = due.unwrap_or(self.keys.len() - 1);
        let mut keys: Vec<ContextKey> = (0..self.keys.len()).map(|at| self.key(at)).collect();
        let signing = keys.remove(signing);
        ContextKeys::new(signing, keys)
    }

    fn key(&self, at: usize) -> ContextKey {
        let kept = &self.keys[at];
        let grace = |retired_at: u64| retired_at.saturating_add(CONTEXT_KEY_GRACE_MILLIS);
        ContextKey {
            id: kept.id.clone(),
            secret: kept.secret,
            begins_by: self.retired_at(at).map(grace),
        }
    }

    /// When the first of the newer keys signs. A key that was overtaken before it signed is retired with those before it.
    fn retired_at(&self, at: usize) -> Option<u64> {
        self.keys[..at].iter().map(|newer| newer.signs_from).min()
    }

    /// What is told of the keys at `now_millis`, the newest first.
    pub fn entries(&self, now_millis: u64) -> Vec<ContextKeyEntry> {
        let entry = |(at, key): (usize, &KeptContextKey)| {
            let retired_at = self.retired_at(at);
            let state = if retired_at.is_some_and(|at| at <= now_millis) {
                ContextKeyState::Retired
            } else if key.signs_from <= now_millis {
                ContextKeyState::Signing
            } else {
                ContextKeyState::Coming
            };
            ContextKeyEntry {
                id: key.id.clone(),
                state,
                made_at: key.made_at,
                signs_from: key.signs_from,
                retired_at,
            }
        };
        self.keys.iter().enumerate().map(entry).collect()
    }

    /// True if there is no room for another key.
    pub fn is_full(&self) -> bool {
        self.keys.len() >= CONTEXT_KEYS_MAX
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::Context, *};
    use crate::error::Code;

    const ID: &str = "acme/production/p-1";

    fn context() -> Context {
        Context {
            scope: "acme/production".parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            workflow_id: ID.into(),
            digest: None,
            begins_by: None,
        }
    }

    /// The set of keys that sign from these times on, made one after another; each is called by its number.
    fn set(signs_from: &[u64]) -> ContextKeySet {
        let key = |(number, &signs_from): (usize, &u64)| KeptContextKey {
            id: number.to_string(),
            secret: [u8::try_from(number).unwrap(); 32],
            made_at: 0,
            signs_from,
        };
        let keys: Vec<_> = signs_from.iter().enumerate().map(key).collect();
        ContextKeySet::new(keys.into_iter().rev().collect()).unwrap()
    }

    fn states(set: &ContextKeySet, now: u64) -> Vec<(String, ContextKeyState, Option<u64>)> {
        let entries = set.entries(now).into_iter().rev();
        entries
            .map(|entry| (entry.id, entry.state, entry.retired_at))
            .collect()
    }

    #[test]
    fn a_key_signs_from_its_time_on_until_the_next() {
        use ContextKeyState::{Coming, Retired, Signing};
        let set = set(&[0, 100, 200]);
        let told = |words: [ContextKeyState; 3]| {
            let retired: [Option<u64>; 3] = [Some(100), Some(200), None];
            let rows = words.into_iter().zip(retired).enumerate();
            rows.map(|(number, (state, at))| (number.to_string(), state, at))
                .collect::<Vec<_>>()
        };
        for (now, signing, words) in [
            (0, "0", [Signing, Coming, Coming]),
            (99, "0", [Signing, Coming, Coming]),
            (100, "1", [Retired, Signing, Coming]),
            (200, "2", [Retired, Retired, Signing]),
            (u64::MAX, "2", [Retired, Retired, Signing]),
        ] {
            assert_eq!(set.at(now).signing_id(), signing, "{now}");
            assert_eq!(states(&set, now), told(words), "{now}");
        }
    }

    #[test]
    fn a_key_that_was_overtaken_never_signs() {
        use ContextKeyState::{Coming, Retired, Signing};
        let set = set(&[0, 500, 100]);
        let signing = [0, 99, 100, 499, 500, 501].map(|now| set.at(now).signing_id());
        assert_eq!(signing, ["0", "0", "2", "2", "2", "2"]);
        let at_100 = states(&set, 100).into_iter().map(|(_, state, _)| state);
        assert_eq!(at_100.collect::<Vec<_>>(), [Retired, Retired, Signing]);
        let at_99 = states(&set, 99).into_iter().map(|(_, state, _)| state);
        assert_eq!(at_99.collect::<Vec<_>>(), [Signing, Coming, Coming]);
    }

    #[test]
    fn the_first_key_signs_also_where_the_clock_is_behind() {
        assert_eq!(set(&[50]).at(0).signing_id(), "0");
        assert_eq!(set(&[50, 60]).at(0).signing_id(), "0");
    }

    #[test]
    fn all_keys_verify_and_a_new_one_does_before_it_signs() {
        let set = set(&[0, 100]);
        for (signed_at, read_at) in [(0, 0), (0, 100), (100, 0), (100, 100)] {
            let token = set.at(signed_at).sign(&context()).unwrap();
            let read = set.at(read_at).verify(&token, ID);
            assert!(read.is_ok(), "signed at {signed_at}, read at {read_at}");
        }
    }

    #[test]
    fn a_retired_key_begins_nothing_new_and_ends_nothing() {
        let set = set(&[0, 100]);
        let last = 100 + CONTEXT_KEY_GRACE_MILLIS;
        let old = set.at(0).sign(&context()).unwrap();
        for now in [0, 100, last, u64::MAX] {
            let read = set.at(now).verify(&old, ID).unwrap();
            for (began_at, taken) in [(0, true), (last, true), (last + 1, false)] {
                let checked = read.check_begun(began_at);
                assert_eq!(checked.is_ok(), taken, "read at {now}, begun at {began_at}");
            }
        }
        // Its own time counts where it is the shorter one, and the newest key sets none.
        let short = Context {
            begins_by: Some(7),
            ..context()
        };
        for now in [0, 100] {
            let token = set.at(now).sign(&short).unwrap();
            assert_eq!(set.at(100).verify(&token, ID).unwrap(), short);
        }
        let new = set.at(100).sign(&context()).unwrap();
        assert_eq!(set.at(100).verify(&new, ID).unwrap(), context());
    }

    #[test]
    fn a_key_that_is_not_known_is_told_from_a_forgery() {
        let token = set(&[0, 100]).at(100).sign(&context()).unwrap();
        let refused = set(&[0]).at(100).verify(&token, ID).unwrap_err();
        assert_eq!(refused.code(), Code::ContextKeyUnknown);
    }

    #[test]
    fn who_holds_keys_follows_the_set() {
        let set = set(&[0, 100]);
        let held = set.at(0);
        let derived = held.derive("a test").unwrap();
        assert!(!held.follow(set.at(50)), "the same key signs");
        assert!(held.follow(set.at(100)));
        assert_eq!(held.signing_id(), "1");
        // What is sealed with a secret of the next key opens before, what is sealed with a retired one does not.
        let later = held.derive("a test").unwrap();
        assert_eq!((derived.len(), &later[..]), (2, &derived[1..]));
        assert_ne!(later, held.derive("another test").unwrap());
    }

    #[test]
    fn no_secret_is_shown() {
        let set = set(&[0, 100]);
        let shown = format!("{set:?} {:?}", set.at(0));
        assert!(
            shown.contains("\"1\"") && !shown.contains("1, 1"),
            "{shown}"
        );
    }

    #[test]
    fn a_set_has_so_many_keys_and_one_at_least() {
        let times: Vec<u64> = (0..CONTEXT_KEYS_MAX as u64).collect();
        assert!(set(&times).is_full());
        assert!(!set(&times[1..]).is_full());
        assert!(ContextKeySet::new(Vec::new()).is_none());
    }
}
