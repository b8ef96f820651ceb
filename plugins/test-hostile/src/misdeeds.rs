//! The misdeeds that workflows and activities share.

use std::hint::black_box;

/// What [`grow`] allocates at once, in bytes.
const GROW_BYTES: usize = 1024 * 1024;

/// Never returns.
pub(crate) fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Computes for so many turns, and gives back what came out.
pub(crate) fn compute(turns: u64) -> u64 {
    (0..turns).fold(0, |sum, turn| black_box(sum ^ turn.wrapping_mul(sum | 1)))
}

/// Allocates, and touches what it got, until there is no more.
pub(crate) fn grow() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; GROW_BYTES]));
    }
}

/// Allocates so many mebibytes, and touches them.
pub(crate) fn hoard(mebibytes: usize) -> Vec<Vec<u8>> {
    (0..mebibytes)
        .map(|_| black_box(vec![1_u8; GROW_BYTES]))
        .collect()
}

/// Calls itself until the stack is used up.
pub(crate) fn overflow(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    if black_box(depth) == u64::MAX {
        return 0;
    }
    overflow(depth + 1).wrapping_add(room[1])
}

/// Calls itself until there is no stack left, and keeps nothing in memory meanwhile: languages have a second stack there,
/// which [`overflow`] uses up first.
#[inline(never)]
pub(crate) fn descend(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    // Not a sum, which a compiler would make a loop of.
    descend(depth + 1).rotate_left(1) ^ depth
}
