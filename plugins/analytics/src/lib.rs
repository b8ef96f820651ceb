//! Analytics: a report a day, clean-up of what has grown old, and reminders.
//!
//! [`daily_report`], [`cleanup`] and [`reminder`] hold the workflows; [`sources`], [`reports`], [`items`],
//! [`reminders`] and [`records`] the activities, one file a kind of provider; [`model`] what goes in and comes out.

mod cleanup;
mod daily_report;
mod items;
mod model;
mod pace;
mod provider;
mod records;
mod reminder;
mod reminders;
mod reports;
mod sources;

use tenterhook_sdk::plugin;

use cleanup::DataCleanup;
use daily_report::DailyReport;
use items::{BackupData, DeleteItems, IdentifyCleanupItems};
use records::{LogCleanupOperation, LogReportGeneration};
use reminder::Reminder;
use reminders::{MarkReminderSent, SendReminder, ValidateReminder};
use reports::{GenerateReport, StoreReport};
use sources::GatherAnalytics;

plugin! {
    workflows: [
        /// Gathers a day's figures from all sources, makes a report of them and stores it. A source that does not answer
        /// makes it a partial report, which says so.
        DailyReport,
        /// Finds what has grown old, backs it up and deletes it in batches; after a crash it goes on where it stopped.
        DataCleanup,
        /// Waits until a reminder is due, asks whether it is still wanted, sends it and marks it as sent.
        Reminder,
    ],
    activities: [
        GatherAnalytics,
        GenerateReport,
        StoreReport,
        LogReportGeneration,
        IdentifyCleanupItems,
        BackupData,
        DeleteItems,
        LogCleanupOperation,
        ValidateReminder,
        SendReminder,
        MarkReminderSent,
    ],
    wants: {
        http: [
            "config:analytics_url",
            "config:objects_url",
            "config:log_url",
            "config:items_url",
            "config:reminders_url",
            "config:mail_url",
        ],
        config: [
            "analytics_url",
            "objects_url",
            "log_url",
            "items_url",
            "reminders_url",
            "mail_url",
        ],
    },
}
