//! The plugin `user`.

mod onboarding;
mod send_notification;

use tenterhook_tests::standin::{Channel, User};

use crate::scene::Scene;

/// A tenant with the plugin and one user, `u-1`.
pub(crate) async fn scene(tenant: &str, email: &str) -> Scene {
    let scene = Scene::open("user", tenant).await;
    let user = User {
        user_id: "u-1".to_owned(),
        email: Some(email.to_owned()),
        push_device: Some("device-1".to_owned()),
        status: "new".to_owned(),
        ..User::default()
    };
    scene.edit(|book| book.users.insert("u-1".to_owned(), user));
    scene
}

/// The channels of the messages that were taken, in their order.
fn channels(scene: &Scene) -> Vec<Channel> {
    let mut channels: Vec<_> = scene
        .book()
        .messages
        .iter()
        .map(|message| message.channel)
        .collect();
    channels.sort_unstable();
    channels
}
