// SPDX-License-Identifier: Apache-2.0

//! The page for people: mirrors, what arrives, what leaves, and where images are. Pure: it is made of what is known,
//! and says of images what `plan::why` says.

mod rows;
#[cfg(test)]
mod tests;
mod text;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use self::rows::{
    Answer, Approval, Arrival, Bounded, Leaving, MirrorLine, approvals, arrivals, leaving, lines,
};
use self::text::Text;
use crate::plan::why::{AskedImage, ImageAnswer, KnownObjects};

const STYLE: &str = include_str!("../../templates/page.css");
const SCRIPT: &str = include_str!("../../templates/page.js");

/// What a page shows.
#[derive(Clone, Copy, Debug)]
pub struct PageScene<'a> {
    /// Where the mirrors are, such as `in namespace "shop"`.
    pub place: &'a str,
    /// What is known.
    pub known: KnownObjects<'a>,
    /// The images that are asked for.
    pub asked: &'a [AskedImage],
    /// When this is.
    pub now: Timestamp,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    policy: String,
    place: Text,
    time: Text,
    answers: Vec<Answer>,
    mirrors: Bounded<MirrorLine>,
    arrivals: Bounded<Arrival>,
    approvals: Vec<Approval>,
    leaving: Bounded<Leaving>,
}

/// The page as HTML, which loads nothing from anywhere.
pub fn render_page(scene: PageScene<'_>) -> Result<String, std::fmt::Error> {
    let PageScene {
        place,
        known,
        asked,
        now,
    } = scene;
    let answers = asked.iter().map(|asked| ImageAnswer::of(asked, known));
    let page = Page {
        policy: content_policy(),
        place: Text::of(place),
        time: Text::of(&format!("{now:.0}")),
        answers: answers.map(|answer| Answer::of(&answer, now)).collect(),
        mirrors: lines(known.mirrors, now),
        arrivals: arrivals(known.mirrors, now),
        approvals: approvals(known.mirrors),
        leaving: leaving(known.records, now),
    };
    page.render().map_err(|_| std::fmt::Error)
}

/// Nothing but the style and the script of the page itself.
fn content_policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
