//! Listings: checked, reviewed, published to the search index, and taken out of it when they expire.
//!
//! [`approval`] and [`expiration`] hold the workflows, [`steps`] the approval's steps and what undoes them; [`listings`],
//! [`review`] and [`search`] the activities, one file a kind of provider; [`model`] what goes in and comes out.

mod approval;
mod expiration;
mod listings;
mod model;
mod pace;
mod provider;
mod review;
mod search;
mod steps;

use tenterhook_sdk::plugin;

use approval::Approval;
use expiration::Expiration;
use listings::{
    ApproveListing, ExpireListing, GetListingStatus, RejectListing, UpdateListingStatus,
    ValidateListing,
};
use review::{NotifyReviewers, RunAutomatedChecks};
use search::{PublishToSearchIndex, RemoveFromSearchIndex};

plugin! {
    workflows: [
        /// Decides on a listing: by its quality score where that is clear, else by reviewers, and publishes what is
        /// approved to the search index. What cannot be published goes back to where it was submitted.
        Approval { signals: [approve, reject], queries: [review_state] },
        /// Waits until a listing expires, warns beforehand, expires it and takes it out of the search index.
        Expiration { signals: [extend], queries: [expiry] },
    ],
    activities: [
        ValidateListing,
        RunAutomatedChecks,
        UpdateListingStatus,
        NotifyReviewers,
        ApproveListing,
        RejectListing,
        PublishToSearchIndex,
        RemoveFromSearchIndex,
        GetListingStatus,
        ExpireListing,
    ],
    wants: {
        http: [
            "config:listings_url",
            "config:checks_url",
            "config:reviewers_url",
            "config:search_url",
        ],
        config: ["listings_url", "checks_url", "reviewers_url", "search_url"],
    },
}
