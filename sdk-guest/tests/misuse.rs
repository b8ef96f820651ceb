//! Misuses of the macros: each does not compile, and the compiler says at the right place what to do.
//!
//! A file a misuse, beside it the words: `TRYBUILD=overwrite cargo test --workspace --test misuse` rewrites them.

#[test]
fn misuses_are_told_with_their_mend() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/misuse/*.rs");
}
