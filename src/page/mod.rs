// SPDX-License-Identifier: Apache-2.0

//! The page for people: mirrors, what arrives, what leaves, registries, and where images are. Pure: it is made of what
//! is known, and says of images what `plan::why` says.

mod advice;
mod bounded;
mod registries;
mod rows;
mod search;
mod sharing;
#[cfg(test)]
mod tests;
mod text;
mod unreadable;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

pub use self::registries::RegistryTraffic;
pub use self::search::{Search, TYPED_LENGTH};
pub use self::sharing::{SharedWork, WorkingMember};
pub use self::unreadable::UnreadableMirror;

use self::bounded::{Bounded, FEW, MANY};
use self::registries::{RegistryLine, registry_lines};
use self::rows::{
    Answer, Approval, Arrival, Leaving, MirrorLines, approvals, arrivals, leaving, lines,
};
use self::sharing::Members;
use self::text::Text;
use crate::plan::mirror_home::MirrorHome;
use crate::plan::named_mirror::NamedMirror;
use crate::plan::why::{ImageAnswer, KnownObjects};

/// What each page says of who wrote it, near its begin.
pub const PAGE_MARK: &str = r#"<meta name="generator" content="transship">"#;

const STYLE: &str = include_str!("../../templates/page.css");
const SCRIPT: &str = include_str!("../../templates/page.js");

/// What a page shows.
#[derive(Clone, Debug)]
pub struct PageScene<'a> {
    /// Where the mirrors are, such as `in namespace "shop"`.
    pub place: &'a str,
    /// Where they are kept.
    pub home: &'a MirrorHome,
    /// What is known.
    pub known: &'a KnownObjects<'a>,
    /// Mirrors that cannot be understood.
    pub unreadable: &'a [UnreadableMirror],
    /// How registries behaved, as far as that is known.
    pub traffic: &'a [RegistryTraffic],
    /// Who works on what, where several processes share the work.
    pub sharing: Option<&'a SharedWork>,
    /// What is searched, and what was found.
    pub search: Search<'a>,
    /// When this is.
    pub now: Timestamp,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page {
    /// The content policy of a file; a server sends it as a header.
    policy: Option<String>,
    place: Text,
    time: Text,
    /// What was typed into the box of a page that a server answers.
    typed: Option<Text>,
    complaint: Option<Text>,
    answers: Vec<Answer>,
    mirrors: MirrorLines,
    /// None on a page that answers a search.
    overview: Option<Overview>,
}

/// What is beside the mirrors.
struct Overview {
    arrivals: Bounded<Arrival>,
    approvals: Vec<Approval>,
    leaving: Bounded<Leaving>,
    registries: Bounded<RegistryLine>,
    members: Option<Members>,
}

/// The page as HTML, which loads nothing from anywhere but its own server.
pub fn render_page(scene: &PageScene<'_>) -> Result<String, std::fmt::Error> {
    let PageScene {
        place,
        home,
        known,
        unreadable,
        traffic,
        sharing,
        search,
        now,
    } = scene;
    let mirrors = || known.mirrors.iter().copied();
    let is_overview = search.typed().is_empty();
    let overview = is_overview.then(|| Overview {
        arrivals: arrivals(mirrors(), *now),
        approvals: approvals(mirrors(), home),
        leaving: leaving(&known.records, *now),
        registries: registry_lines(mirrors(), traffic, *now),
        members: sharing.map(Members::of),
    });
    let unreadable = unreadable.iter();
    let words = search.words();
    let is_named = |mirror: &NamedMirror| {
        let name = mirror.to_string();
        words.iter().all(|word| name.contains(word.as_str()))
    };
    let named = lines(
        mirrors().filter(|mirror| is_named(&NamedMirror::of(mirror))),
        unreadable.filter(|unreadable| is_named(&unreadable.mirror)),
        (home, *sharing),
        if is_overview { FEW } else { MANY },
        *now,
    );
    // What is the name of a mirror need not be that of an image, too.
    let is_mirror = !is_overview && !named.lines.rows.is_empty();
    let is_said = |answer: &&ImageAnswer| {
        !is_mirror || !answer.answers.is_empty() || !answer.candidates.is_empty()
    };
    let complaint = search.complaint().filter(|_| !is_mirror);
    let answers = search.answers().iter().filter(is_said);
    let page = Page {
        policy: search.is_file().then(file_policy),
        place: Text::of(place),
        time: Text::of(&format!("{now:.0}")),
        typed: (!search.is_file()).then(|| Text::of(search.typed())),
        complaint: complaint.map(|complaint| Text::of(&complaint)),
        answers: answers
            .map(|answer| Answer::of(answer, home, *now))
            .collect(),
        mirrors: named,
        overview,
    };
    page.render().map_err(|_| std::fmt::Error)
}

/// Nothing but the style and the script of the file itself.
fn file_policy() -> String {
    format!("{}; form-action 'none'", own_policy())
}

/// What a browser lets the page of a server do: nothing but its own style and script, and questions to its own server.
pub fn served_policy() -> String {
    let own = own_policy();
    format!("{own}; connect-src 'self'; form-action 'self'; frame-ancestors 'none'")
}

fn own_policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
