//! Users: messages on the channels they want, and the way from sign-up to a complete profile.
//!
//! [`notification`] and [`onboarding`] hold the workflows; [`messages`] and [`profile`] the activities, one file a kind
//! of provider; [`model`] what goes in and comes out.

mod messages;
mod model;
mod notification;
mod onboarding;
mod pace;
mod profile;
mod provider;

use tenterhook_sdk::plugin;

use messages::{SendEmail, SendNotification};
// The workflow has the name of one of the activities that it runs.
use notification::SendNotification as Notifying;
use onboarding::Onboarding;
use profile::{ProcessNotification, SendWelcomePackage, UpdateUserStatus};

plugin! {
    workflows: [
        /// Delivers one message to one user on several channels at once. A channel that fails does not fail the others;
        /// the result says which delivered.
        Notifying,
        /// Takes a new user from the welcome package to an active account, waits for the profile to be completed, and
        /// reminds of it.
        Onboarding { signals: [profile_completed], queries: [progress] },
    ],
    activities: [
        SendEmail,
        ProcessNotification,
        UpdateUserStatus,
        SendWelcomePackage,
        SendNotification,
    ],
    wants: {
        http: ["config:users_url", "config:mail_url", "config:push_url", "config:inbox_url"],
        config: ["users_url", "mail_url", "push_url", "inbox_url"],
    },
}
