//! The plugin `analytics`.

mod daily_report;
mod data_cleanup;
mod reminder;
