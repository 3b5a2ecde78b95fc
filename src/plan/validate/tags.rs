// SPDX-License-Identifier: Apache-2.0

//! The `tags` of an entry.

use crate::api::image_mirror::AbsentTag;
use crate::oci::{Digest, Tag};
use crate::plan::fields::Fields;
use crate::plan::mirror::{RepositorySelector, TagSelector};
use crate::policy::TagGlob;

/// Most tags, and most digests, of one entry.
const TAGS: usize = 256;

pub(super) fn validate_tags(path: &str, tags: &[String], fields: &mut Fields) -> Vec<TagSelector> {
    let path = format!("{path}.tags");
    fields.check_count(&path, tags.len(), 0, TAGS);
    fields.refuse_repeats(tags.iter().enumerate().map(|(index, text)| {
        let tag = text.split_once('@').map_or(text.as_str(), |(tag, _)| tag);
        (format!("{path}[{index}]"), tag)
    }));
    let mut selectors = Vec::with_capacity(tags.len());
    for (index, text) in tags.iter().enumerate() {
        let path = format!("{path}[{index}]");
        selectors.extend(validate_tag(path, text, fields));
    }
    selectors
}

fn validate_tag(path: String, text: &str, fields: &mut Fields) -> Option<TagSelector> {
    let Some((tag, digest)) = text.split_once('@') else {
        return if TagGlob::is_literal(text) {
            fields.accept(path, text.parse()).map(TagSelector::Literal)
        } else {
            let glob = fields.accept(path, TagGlob::parse(text));
            glob.map(TagSelector::Glob)
        };
    };
    if !TagGlob::is_literal(tag) {
        fields.refuse(
            path,
            format_args!("{text:?} pins a glob: only a tag that is written in full has a digest"),
        );
        return None;
    }
    let tag = fields.accept(path.clone(), tag.parse())?;
    let digest = fields.accept(path, digest.parse())?;
    Some(TagSelector::Pinned(tag, digest))
}

/// Images that are wanted by their digests, each under the tag that holds it.
pub(super) fn validate_digests(
    path: &str,
    digests: &[String],
    fields: &mut Fields,
) -> Vec<TagSelector> {
    let path = format!("{path}.digests");
    fields.check_count(&path, digests.len(), 0, TAGS);
    fields.refuse_repeats(
        digests
            .iter()
            .enumerate()
            .map(|(index, digest)| (format!("{path}[{index}]"), digest.as_str())),
    );
    let digests = fields.accept_all(&path, digests, str::parse::<Digest>);
    digests
        .into_iter()
        .map(|digest| TagSelector::Pinned(Tag::of_digest(&digest), digest))
        .collect()
}

/// Refuses what would be without effect, or would mean nothing for several repositories. So many of the selectors stand
/// in `tags`, the others in `digests`.
pub(super) fn refuse_idle(
    path: &str,
    absent: AbsentTag,
    tags: &[TagSelector],
    written: usize,
    repository: Option<&RepositorySelector>,
    fields: &mut Fields,
) {
    let has_literals = tags.iter().any(|tag| tag.literal().is_some());
    if absent == AbsentTag::Skip && !has_literals && fields.is_valid() {
        fields.refuse(
            format!("{path}.absent"),
            "Skip is only for tags and digests that are written in full: globs and rules take what there is in any case",
        );
    }
    let pinned = tags.iter().position(|tag| tag.pin().is_some());
    if let (Some(index), Some(RepositorySelector::Glob(glob))) = (pinned, repository) {
        // Digests stand behind the tags.
        let field = if index < written {
            format!("tags[{index}]")
        } else {
            format!("digests[{}]", index - written)
        };
        fields.refuse(
            format!("{path}.{field}"),
            format_args!("is pinned to a digest, and {glob} may be several repositories: write the repository in full"),
        );
    }
}
