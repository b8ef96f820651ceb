//! The plugin `listing`.

mod approval;
mod expiration;

use tenterhook_tests::standin::Listing;

use crate::scene::Scene;

/// A description that costs no points.
const LONG: &str = "A lamp with a shade of linen, as good as new, with its cable.";

/// A tenant with the plugin and one listing, `l-1`.
async fn scene(tenant: &str, listing: Listing) -> Scene {
    let scene = Scene::open("listing", tenant).await;
    scene.edit(|book| book.listings.insert("l-1".to_owned(), listing));
    scene
}

/// A listing whose score is 100 with a long description and a picture, 75 with a short one, 5 with a forbidden word.
fn listing(status: &str, description: &str, images: u32) -> Listing {
    Listing {
        listing_id: "l-1".to_owned(),
        seller_id: "s-1".to_owned(),
        title: "Lamp".to_owned(),
        description: description.to_owned(),
        price: 1_200,
        currency: "EUR".to_owned(),
        images,
        status: status.to_owned(),
        expires_at: None,
        history: Vec::new(),
    }
}

/// The statuses that the listing was given, in their order.
fn statuses(scene: &Scene) -> Vec<String> {
    let book = scene.book();
    let history = &book.listings["l-1"].history;
    let status = |entry: &serde_json::Value| entry["status"].as_str().unwrap().to_owned();
    history.iter().map(status).collect()
}
