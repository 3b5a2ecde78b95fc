// SPDX-License-Identifier: Apache-2.0

//! Tags as tables.

use super::super::look::Look;
use super::super::table::Table;
use super::super::units;
use super::row::TagRow;

/// A line for each tag.
pub(super) fn by_tag(rows: &[TagRow], look: Look) -> String {
    let mut table = Table::new(["TAG", "DIGEST", "SIZE", "PLATFORMS"]);
    for TagRow {
        tag,
        digest,
        platforms,
        size,
    } in rows
    {
        table.row([
            tag.to_string(),
            look.digest(digest),
            units::bytes(*size),
            platforms.join(","),
        ]);
    }
    table.fit(look.width)
}

/// A line for each image, where its first tag stands, with all of its tags.
pub(super) fn by_digest(rows: &[TagRow], look: Look) -> String {
    let mut images: Vec<(&TagRow, Vec<&str>)> = Vec::new();
    for row in rows {
        match images
            .iter_mut()
            .find(|(image, _)| image.digest == row.digest)
        {
            Some((_, tags)) => tags.push(row.tag.as_str()),
            None => images.push((row, vec![row.tag.as_str()])),
        }
    }
    let mut table = Table::new(["DIGEST", "SIZE", "PLATFORMS", "TAGS"]);
    for (row, tags) in images {
        table.row([
            look.digest(&row.digest),
            units::bytes(row.size),
            row.platforms.join(","),
            tags.join(","),
        ]);
    }
    table.fit(look.width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn row(tag: &str, content: &[u8], platforms: &[&str], size: u64) -> TagRow {
        TagRow {
            tag: tag.parse().unwrap(),
            digest: Digest::sha256(content),
            platforms: platforms.iter().map(ToString::to_string).collect(),
            size,
        }
    }

    #[test]
    fn tags_with_what_they_stand_for() {
        let platforms = [
            "linux/amd64",
            "linux/arm/v6",
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/386",
            "linux/ppc64le",
            "linux/riscv64",
            "linux/s390x",
        ];
        let rows = [
            row("3.20", b"a", &platforms, 27_100_000),
            row("3.20.3", b"a", &platforms, 27_100_000),
            row(
                "chart",
                b"b",
                &["application/vnd.cncf.helm.config.v1+json"],
                812,
            ),
        ];
        let looks = [80, 100, 200].map(|width| Look {
            is_wide: false,
            width: Some(width),
        });
        for (look, name) in looks.into_iter().zip(["at_80", "at_100", "at_200"]) {
            insta::assert_snapshot!(name, by_tag(&rows, look) + "\n" + &by_digest(&rows, look));
        }
        insta::assert_snapshot!("wide", by_tag(&rows, Look::everything()));
    }
}
