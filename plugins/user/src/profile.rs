//! The user service: profiles, statuses, welcome packages.

use serde::{Deserialize, Serialize};
use tenterhook_sdk::http::{Method, encode_segment};
use tenterhook_sdk::{ActivityContext, ActivityError, Findings, activity, info, payload};

use crate::model::{
    BODY_CHARS_MAX, CHANNELS, Channel, ChannelReport, NAME_CHARS_MAX, NotificationRequest, Outcome,
};
use crate::provider;

const URL_KEY: &str = "users_url";

/// The status of a user who may use the product.
pub(crate) const ACTIVE: &str = "active";
/// The kind of package that new users get.
const WELCOME: &str = "welcome";

/// Which channels a message goes to, and where there.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) routes: Vec<Route>,
    /// The channels that it cannot go to.
    pub(crate) skipped: Vec<ChannelReport>,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) channel: Channel,
    pub(crate) to: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct UserStatus {
    pub(crate) user_id: String,
    pub(crate) status: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct WelcomeRequest {
    pub(crate) user_id: String,
}

#[payload]
#[derive(Clone, Debug)]
pub(crate) struct WelcomePackage {
    pub(crate) package_id: String,
}

/// A profile, as far as it matters here.
#[derive(Deserialize)]
struct Profile {
    email: Option<String>,
    push_device: Option<String>,
    #[serde(default)]
    opted_out: Vec<Channel>,
}

#[derive(Serialize)]
struct StatusBody<'a> {
    status: &'a str,
}

#[derive(Serialize)]
struct PackageBody<'a> {
    kind: &'a str,
}

impl Profile {
    /// Where the user is reached, or why not.
    fn route(&self, user_id: &str, channel: Channel) -> Result<String, &'static str> {
        if self.opted_out.contains(&channel) {
            return Err("the user does not want it there");
        }
        let to = match channel {
            Channel::Email => self.email.clone(),
            Channel::Push => self.push_device.clone(),
            Channel::InApp => Some(user_id.to_owned()),
        };
        to.ok_or("the user has no address there")
    }
}

/// Checks a message and finds out by the user's profile where it goes. A user that does not exist is `NotFound`.
#[activity(timeout = Short, retry = Network)]
pub(crate) fn process_notification(
    ctx: &ActivityContext,
    input: NotificationRequest,
) -> Result<Plan, ActivityError> {
    validate(&input)?;
    let path = format!("users/{}", encode_segment(&input.user_id));
    let profile: Profile = provider::request(ctx, URL_KEY, Method::Get, &path)?
        .send()?
        .ok()?
        .json()?;
    let mut plan = Plan {
        routes: Vec::new(),
        skipped: Vec::new(),
    };
    for channel in input.channels {
        match profile.route(&input.user_id, channel) {
            Ok(to) => plan.routes.push(Route { channel, to }),
            Err(why) => plan.skipped.push(ChannelReport {
                channel,
                outcome: Outcome::Skipped,
                message_id: None,
                reason: Some(why.to_owned()),
            }),
        }
    }
    info!(
        "notification {} goes to {} channels, {} are skipped",
        input.notification_id,
        plan.routes.len(),
        plan.skipped.len()
    );
    Ok(plan)
}

fn validate(input: &NotificationRequest) -> Result<(), ActivityError> {
    let mut findings = Findings::default();
    findings.text("notification_id", &input.notification_id, NAME_CHARS_MAX);
    findings.text("user_id", &input.user_id, NAME_CHARS_MAX);
    findings.text("subject", &input.subject, NAME_CHARS_MAX);
    findings.text("body", &input.body, BODY_CHARS_MAX);
    let mut distinct = input.channels.clone();
    distinct.sort_unstable();
    distinct.dedup();
    findings.check(
        (1..=CHANNELS).contains(&input.channels.len()) && distinct.len() == input.channels.len(),
        "channels are not 1 to 3 different ones",
    );
    findings.verdict("the notification cannot be sent")
}

/// Sets a user's status.
#[activity(timeout = Short, retry = Database)]
pub(crate) fn update_user_status(
    ctx: &ActivityContext,
    input: UserStatus,
) -> Result<UserStatus, ActivityError> {
    let mut findings = Findings::default();
    findings.text("user_id", &input.user_id, NAME_CHARS_MAX);
    findings.text("status", &input.status, NAME_CHARS_MAX);
    findings.verdict("the status cannot be set")?;
    let path = format!("users/{}/status", encode_segment(&input.user_id));
    let body = StatusBody {
        status: &input.status,
    };
    let status: UserStatus = provider::request(ctx, URL_KEY, Method::Put, &path)?
        .json(&body)?
        .send()?
        .ok()?
        .json()?;
    info!("user {} is {}", status.user_id, status.status);
    Ok(status)
}

/// Has the welcome package sent to a new user.
#[activity(timeout = Short)]
pub(crate) fn send_welcome_package(
    ctx: &ActivityContext,
    input: WelcomeRequest,
) -> Result<WelcomePackage, ActivityError> {
    let mut findings = Findings::default();
    findings.text("user_id", &input.user_id, NAME_CHARS_MAX);
    findings.verdict("no package can be sent")?;
    let path = format!("users/{}/packages", encode_segment(&input.user_id));
    let package: WelcomePackage = provider::request(ctx, URL_KEY, Method::Post, &path)?
        .json(&PackageBody { kind: WELCOME })?
        .send()?
        .ok()?
        .json()?;
    info!("user {} gets package {}", input.user_id, package.package_id);
    Ok(package)
}
