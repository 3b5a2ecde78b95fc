// SPDX-License-Identifier: Apache-2.0

//! When images were built, for rules that ask for it: the digest of each tag is asked for, and the config of
//! each digest is read once.

use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::copy::{Engine, Origin};
use crate::oci::{Tag, TagOrDigest};
use crate::plan::report::Failure;
use crate::runtime::clock;
use crate::sync::build_times::{BuildTimes, Known};

/// Most tags of one repository that are asked for the time of their build.
const TAGS: usize = 1_000;
/// Tags that are asked at once. What a registry bears is decided by its own limits.
const LOOKS: usize = 32;
/// How far the clock of a build may be ahead. A time beyond would be the newest for ever.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_hours(24);

/// When the images of these tags were built. Tags that are gone, or whose images do not say it, have no
/// time; one that cannot be asked for leaves the choice among all of them open.
pub(super) async fn find_created(
    engine: &Engine,
    build_times: &BuildTimes,
    subject: &str,
    origin: &Origin,
    tags: BTreeSet<Tag>,
) -> Result<HashMap<Tag, Timestamp>, Failure> {
    if tags.len() > TAGS {
        return Err(Failure::too_many_to_date(subject, tags.len(), TAGS));
    }
    let looks = tags.into_iter().map(|tag| async move {
        let created = created_of(engine, build_times, subject, origin, &tag).await?;
        Ok::<_, Failure>(created.map(|created| (tag, created)))
    });
    let looks = stream::iter(looks).buffer_unordered(LOOKS);
    looks
        .try_filter_map(async |dated| Ok(dated))
        .try_collect()
        .await
}

async fn created_of(
    engine: &Engine,
    build_times: &BuildTimes,
    subject: &str,
    origin: &Origin,
    tag: &Tag,
) -> Result<Option<Timestamp>, Failure> {
    let name = format!("{subject}:{tag}");
    let Origin {
        endpoint,
        repository,
    } = origin;
    let target = TagOrDigest::Tag(tag.clone());
    let digest = endpoint.resolve(repository, &target, None).await;
    let digest = digest.map_err(|error| Failure::requesting(&name, &error))?;
    let Some(digest) = digest else {
        return Ok(None);
    };
    let key = (endpoint.place(), repository.clone(), digest);
    if let Known::Read(known) = build_times.read(&key) {
        return Ok(known);
    }
    let (_, _, digest) = &key;
    let created = engine.created(origin, digest).await;
    let created = created.map_err(|error| Failure::copying(&name, &error))?;
    let created = created.filter(|time| is_told(*time, clock::now()));
    build_times.write(key, created);
    Ok(created)
}

/// Whether a time tells when an image was built. Reproducible builds have the epoch, or the year 1.
fn is_told(created: Timestamp, now: Timestamp) -> bool {
    created > Timestamp::UNIX_EPOCH && created.duration_since(now) <= CLOCK_SKEW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_tell_when_an_image_was_built() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let cases = [
            ("2026-05-01T00:00:00Z", true),
            ("2026-06-02T12:00:00Z", true),
            ("2026-06-02T12:00:01Z", false),
            ("1970-01-01T00:00:00Z", false),
            ("0001-01-01T00:00:00Z", false),
        ];
        for (created, expected) in cases {
            assert_eq!(
                is_told(created.parse().unwrap(), now),
                expected,
                "{created}"
            );
        }
    }
}
