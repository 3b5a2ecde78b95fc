// SPDX-License-Identifier: Apache-2.0

//! Which rule an image breaks first.

use jiff::Timestamp;

use super::facts::ImageFacts;
use super::gate::Gate;
use super::rules::Require;
use crate::api::image_policy::RequiredUser;
use crate::oci::{ImageConfig, Tag};
use crate::policy::{Duration, TextGlob};

/// How far ahead of ours the clock of a build may be.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 60 * 60);
/// Most characters of a text that an image says of itself, in messages.
const TOLD: usize = 80;
/// The administrator of Windows containers.
const WINDOWS_ADMINISTRATOR: &str = "ContainerAdministrator";

/// A rule that an image breaks, and what to do.
pub(super) type Breach = (Gate, String);

impl Require {
    /// Whether the tag may be copied at all.
    pub(super) fn judge_tag(&self, tag: &Tag) -> Option<Breach> {
        let glob = self.deny_tags.iter().find(|glob| glob.matches(tag))?;
        Some((
            Gate::DenyTags,
            format!("{glob} denies the tag {tag}: mirror another tag of the image"),
        ))
    }

    /// Whether the images of a tag are like they must be; all of them must.
    pub(super) fn judge_images(&self, images: &[ImageFacts], now: Timestamp) -> Option<Breach> {
        if let Some(breach) = self.judge_platforms(images) {
            return Some(breach);
        }
        images.iter().find_map(|image| self.judge_image(image, now))
    }

    fn judge_platforms(&self, images: &[ImageFacts]) -> Option<Breach> {
        let found = || images.iter().filter_map(|image| image.platform.as_ref());
        let missing = self
            .platforms
            .iter()
            .find(|wanted| !found().any(|platform| wanted.covers(platform)))?;
        let mut names: Vec<String> = found().map(ToString::to_string).collect();
        names.sort_unstable();
        names.dedup();
        let names = match names.as_slice() {
            [] => "no platform".to_owned(),
            names => names.join(", "),
        };
        let message = format!(
            "{missing} is missing, {names} would be copied: build the image for it, or add it to the platforms of the mirror"
        );
        Some((Gate::Platforms, message))
    }

    fn judge_image(&self, image: &ImageFacts, now: Timestamp) -> Option<Breach> {
        let Self {
            user,
            max_size,
            max_age,
            platforms: _,
            labels,
            deny_tags: _,
            vulnerabilities: _,
        } = self;
        let name = image.name();
        if let Some(most) = max_size
            && image.size > most.bytes()
        {
            let message = format!(
                "{name} has {} bytes, more than {most}: make the image smaller, or raise the limit",
                image.size
            );
            return Some((Gate::MaxSize, message));
        }
        let Some(config) = &image.config else {
            let asks = user.is_some() || max_age.is_some() || !labels.is_empty();
            let gate = match (user, max_age) {
                (Some(_), _) => Gate::User,
                (None, Some(_)) => Gate::MaxAge,
                (None, None) => Gate::Labels,
            };
            let message = format!(
                "{name} has no image config, it is another kind of artifact: mirror it without this policy"
            );
            return asks.then_some((gate, message));
        };
        let breach = user.and_then(|user| judge_user(user, &name, &config.user));
        let breach = breach.or_else(|| judge_age((*max_age)?, &name, config, now));
        breach.or_else(|| {
            let mut labels = labels.iter();
            labels.find_map(|(key, glob)| judge_label(key, glob, &name, config))
        })
    }
}

fn judge_user(required: RequiredUser, name: &str, user: &str) -> Option<Breach> {
    let problem = match required {
        RequiredUser::NonRoot => why_root(user)?,
    };
    let message = format!(
        "{name} {problem}: build the image with a USER other than root, best a number from 1 on"
    );
    Some((Gate::User, message))
}

/// Why the user of a config may be root. Nobody can tell for the name of another user.
fn why_root(user: &str) -> Option<String> {
    let name = user.split(':').next().unwrap_or_default().trim();
    if name.is_empty() {
        return Some("sets no user and runs as root".to_owned());
    }
    if name == "root" || name.eq_ignore_ascii_case(WINDOWS_ADMINISTRATOR) {
        return Some(format!("runs as {name}"));
    }
    let digits = name.strip_prefix(['+', '-']).unwrap_or(name);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match name.parse::<i64>() {
        Ok(0) => Some("runs as root, by its number".to_owned()),
        Ok(id) if id > 0 && i32::try_from(id).is_ok() => None,
        // Some runtimes cut such a number to 32 bits, where it may be 0 (CVE-2024-40635).
        Ok(_) | Err(_) => Some(format!("runs as {}, which is no user", quote(name))),
    }
}

fn judge_age(most: Duration, name: &str, config: &ImageConfig, now: Timestamp) -> Option<Breach> {
    let age = |created: Timestamp| now.duration_since(created).as_millis();
    let message = match config.created {
        None => format!(
            "{name} does not say when it was built: build it with a time, or remove the rule"
        ),
        Some(created) if age(created) > i128::from(most.as_millis()) => {
            format!("{name} was built at {created:.0}, more than {most} ago: build it again")
        }
        Some(created) if age(created) < -i128::from(CLOCK_SKEW.as_millis()) => {
            format!(
                "{name} says that it was built at {created:.0}, which is yet to come: correct the clock of the build"
            )
        }
        Some(_) => return None,
    };
    Some((Gate::MaxAge, message))
}

fn judge_label(key: &str, glob: &TextGlob, name: &str, config: &ImageConfig) -> Option<Breach> {
    let message = match config.labels.get(key) {
        Some(value) if glob.matches(value) => return None,
        Some(value) => format!(
            "{name} has the label {key} with {}, expected {glob}: correct the label of the image, or the rule",
            quote(value)
        ),
        None => format!(
            "{name} has no label {key}, expected {glob}: add the label to the image, or remove the rule"
        ),
    };
    Some((Gate::Labels, message))
}

/// A text of the image, made safe and short.
pub(super) fn quote(text: &str) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(TOLD).collect();
    let more = if characters.next().is_some() {
        "…"
    } else {
        ""
    };
    format!("{start:?}{more}")
}
