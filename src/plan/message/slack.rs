// SPDX-License-Identifier: Apache-2.0

//! A text for an incoming webhook of Slack, or of what understands those (Mattermost, Rocket.Chat, Discord with /slack).

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::told::{Copied, Images, Told};
use crate::api::text::shorten;
use crate::oci::Digest;

/// Longest text, in characters. Slack cuts at 40,000, and nobody reads that.
const TEXT_LENGTH: usize = 4_000;
/// Lines of one kind of news that are told.
const LINES: usize = 5;

/// The body of a message.
pub(super) fn body(told: &Told<'_>) -> Value {
    json!({"text": shorten(&text(told), TEXT_LENGTH)})
}

fn text(told: &Told<'_>) -> String {
    let mut text = escape(&told.summary);
    let images = [&told.new, &told.moved];
    for Images { count: _, images } in images.into_iter().flatten() {
        list(&mut text, images.iter().map(line_of_image));
    }
    let refused = told.refused.iter().flatten();
    list(
        &mut text,
        refused.map(|refused| format!("{}: {}", refused.image, refused.message)),
    );
    let failures = told.failed.iter().flat_map(|failed| &failed.failures);
    list(
        &mut text,
        failures.map(|failure| format!("{}: {}", failure.image, failure.message)),
    );
    let plans = told.prune_waits.iter();
    list(&mut text, plans.map(|plan| plan.message.clone()));
    text
}

fn line_of_image(image: &Copied<'_>) -> String {
    let digest = image.digest.short();
    match image.previous_digest.map(Digest::short) {
        Some(previous) => format!("{} {previous} → {digest}", image.image),
        None => format!("{} {digest}", image.image),
    }
}

fn list(text: &mut String, mut lines: impl Iterator<Item = String>) {
    for line in lines.by_ref().take(LINES) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n• {}", escape(&line));
    }
    let more = lines.count();
    if more > 0 {
        let _ = write!(text, "\n… and {more} more");
    }
}

/// Nobody is called, and nothing becomes a link, by what a name or a message has in it:
/// <https://docs.slack.dev/messaging/formatting-message-text/#escaping>
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
