//! Chance that a printed seed repeats.

/// The variable that gives the seed of an earlier run.
const SEED: &str = "TENTERHOOK_TEST_SEED";

pub(crate) struct Chance(fastrand::Rng);

impl Chance {
    /// The seed that is asked for, else a new one; it is printed.
    pub(crate) fn seeded(test: &str) -> Self {
        let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
        eprintln!("{test}: run again with {SEED}={seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Another one, that goes its own way.
    pub(crate) fn branch(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// A number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.u64(0..end.max(1))
    }
}
