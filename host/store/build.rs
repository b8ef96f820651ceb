//! Rebuilds the crate when a migration changes: they are embedded at compile time.

fn main() {
    // Cargo reads this line from standard output.
    #[allow(clippy::print_stdout)]
    {
        println!("cargo:rerun-if-changed=migrations");
    }
}
