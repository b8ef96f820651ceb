//! Chance that a printed seed repeats (splitmix64).

/// The variable that gives the seed of an earlier run.
const SEED: &str = "TENTERHOOK_TEST_SEED";

pub(crate) struct Chance(u64);

impl Chance {
    /// The seed that is asked for, else a new one; it is printed.
    pub(crate) fn seeded(test: &str) -> Self {
        let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0));
        eprintln!("{test}: run again with {SEED}={seed}");
        Self(seed)
    }

    /// Another one, that goes its own way.
    pub(crate) fn branch(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from 0 to `end - 1`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
