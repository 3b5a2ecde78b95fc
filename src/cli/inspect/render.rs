// SPDX-License-Identifier: Apache-2.0

//! The view as text: sections, each with its heading.

use std::collections::BTreeMap;

use super::super::history;
use super::super::look::Look;
use super::super::table::{Table, align, one_line};
use super::super::units;
use super::view::{ConfigView, Details, ImageView, LayerView, PlatformView, ReferrerView};

/// How far the content of a section is indented.
const INDENT: usize = 2;

/// Everything, with an empty line between two sections.
pub(super) fn text(view: &ImageView, look: Look) -> String {
    let ImageView {
        name,
        reference,
        digest,
        media_type,
        artifact_type,
        size,
        annotations,
        platforms,
        image,
        referrers,
    } = view;
    let head = fields([
        ("Name", name.clone()),
        ("Reference", reference.clone()),
        ("Digest", digest.to_string()),
        ("Media type", media_type.to_string()),
        ("Artifact type", artifact_type.clone().unwrap_or_default()),
        ("Size", units::bytes(*size)),
        ("Annotations", pairs(annotations)),
    ]);
    let mut sections = vec![
        head,
        section("Platforms", &platforms_table(platforms, look)),
    ];
    if let Some(details) = image {
        sections.extend(details_sections(details, look));
    }
    if !referrers.is_empty() {
        sections.push(section("Referrers", &referrers_table(referrers, look)));
    }
    sections.join("\n")
}

fn details_sections(details: &Details, look: Look) -> Vec<String> {
    let Details {
        platform,
        digest,
        config,
        layers,
        history,
    } = details;
    let mut lines = vec![("Digest", digest.to_string())];
    lines.extend(config.iter().flat_map(config_fields));
    let mut sections = vec![
        section(&format!("Image for {platform}"), &fields(lines)),
        section("Layers", &layers_table(layers, look)),
    ];
    if !history.is_empty() {
        sections.push(section("History", &history::table(history, inner(look))));
    }
    sections
}

fn config_fields(config: &ConfigView) -> [(&'static str, String); 9] {
    let ConfigView {
        created,
        user,
        entrypoint,
        command,
        working_directory,
        environment,
        ports,
        volumes,
        labels,
    } = config;
    let words = |words: &[String]| {
        if words.is_empty() {
            return String::new();
        }
        serde_json::to_string(words).unwrap_or_default()
    };
    [
        ("Created", created.clone().unwrap_or_default()),
        (
            "User",
            if user.is_empty() {
                "root (none is set)".to_owned()
            } else {
                user.clone()
            },
        ),
        ("Entrypoint", words(entrypoint)),
        ("Command", words(command)),
        ("Working directory", working_directory.clone()),
        ("Environment", environment.join(", ")),
        ("Ports", ports.join(", ")),
        ("Volumes", volumes.join(", ")),
        ("Labels", pairs(labels)),
    ]
}

fn platforms_table(platforms: &[PlatformView], look: Look) -> String {
    let mut table = Table::new(["PLATFORM", "DIGEST", "LAYERS", "SIZE"]);
    for PlatformView {
        platform,
        digest,
        layers,
        size,
    } in platforms
    {
        table.row([
            platform.clone(),
            look.digest(digest),
            layers.to_string(),
            units::bytes(*size),
        ]);
    }
    table.fit(inner(look).width)
}

fn layers_table(layers: &[LayerView], look: Look) -> String {
    let mut table = Table::new(["DIGEST", "SIZE", "MEDIA TYPE"]);
    for LayerView {
        digest,
        size,
        media_type,
    } in layers
    {
        table.row([
            look.digest(digest),
            units::bytes(*size),
            media_type.to_string(),
        ]);
    }
    table.fit(inner(look).width)
}

fn referrers_table(referrers: &[ReferrerView], look: Look) -> String {
    let mut table = Table::new(["TYPE", "DIGEST", "TAG"]);
    for ReferrerView {
        artifact_type,
        digest,
        tag,
    } in referrers
    {
        table.row([
            artifact_type.clone(),
            look.digest(digest),
            tag.clone().unwrap_or_default(),
        ]);
    }
    table.fit(inner(look).width)
}

// === shared ===

/// How a table looks that stands in a section.
fn inner(look: Look) -> Look {
    let width = look.width.map(|width| width.saturating_sub(INDENT));
    Look { width, ..look }
}

/// `Name:  value` lines; fields without a value are left out, further lines of a value are put below it.
fn fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut lines = Vec::new();
    for (name, value) in fields {
        let mut label = format!("{name}:");
        for line in value.lines() {
            lines.push(format!("{label}\t{}", one_line(line)));
            label.clear();
        }
    }
    align(&lines.join("\n"))
}

/// One `key=value` a line.
fn pairs(pairs: &BTreeMap<String, String>) -> String {
    let lines: Vec<String> = pairs
        .iter()
        .map(|(key, value)| one_line(&format!("{key}={value}")))
        .collect();
    lines.join("\n")
}

fn section(heading: &str, body: &str) -> String {
    let mut lines = vec![format!("{}:", one_line(heading))];
    lines.extend(body.lines().map(|line| format!("  {line}")));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    fn view() -> ImageView {
        let digest = Digest::sha256(b"a");
        let platform = |platform: &str, size| PlatformView {
            platform: platform.to_owned(),
            digest: digest.clone(),
            layers: 1,
            size,
        };
        ImageView {
            name: "docker.io/library/app".to_owned(),
            reference: "3.20".to_owned(),
            digest: digest.clone(),
            media_type: "application/vnd.oci.image.index.v1+json".into(),
            artifact_type: None,
            size: 7_100_000,
            annotations: BTreeMap::new(),
            platforms: vec![
                platform("linux/amd64", 3_600_000),
                platform("linux/arm64/v8", 3_500_000),
            ],
            image: Some(Details {
                platform: "linux/amd64".to_owned(),
                digest: digest.clone(),
                config: Some(ConfigView {
                    created: Some("2026-09-06T12:00:00Z".to_owned()),
                    user: String::new(),
                    entrypoint: Vec::new(),
                    command: vec!["/bin/sh".to_owned(), "-c".to_owned()],
                    working_directory: "/".to_owned(),
                    environment: vec!["PATH".to_owned(), "TOKEN".to_owned()],
                    ports: vec!["80/tcp".to_owned()],
                    volumes: Vec::new(),
                    labels: BTreeMap::from([
                        ("maintainer".to_owned(), "me".to_owned()),
                        ("z".to_owned(), "a\u{1b}[2Jb\nc".to_owned()),
                    ]),
                }),
                layers: vec![LayerView {
                    digest: digest.clone(),
                    size: 3_600_000,
                    media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
                }],
                history: vec![history::StepView {
                    created: None,
                    created_by: "ADD file:… in /".to_owned(),
                    comment: String::new(),
                    empty_layer: false,
                    size: Some(3_600_000),
                    digest: None,
                }],
            }),
            referrers: vec![ReferrerView {
                artifact_type: "application/spdx+json".to_owned(),
                digest,
                tag: None,
            }],
        }
    }

    #[test]
    fn an_image_in_sections() {
        insta::assert_snapshot!(text(&view(), Look::default()));
    }

    #[test]
    fn an_image_fits() {
        let looks = [80, 100, 200].map(|width| Look {
            is_wide: false,
            width: Some(width),
        });
        for (look, name) in looks.into_iter().zip(["at_80", "at_100", "at_200"]) {
            insta::assert_snapshot!(name, text(&view(), look));
        }
        insta::assert_snapshot!("wide", text(&view(), Look::everything()));
    }

    #[test]
    fn an_artifact_has_no_more_sections_than_it_needs() {
        let artifact = ImageView {
            artifact_type: Some("application/vnd.example".to_owned()),
            annotations: BTreeMap::from([
                ("a".to_owned(), "1".to_owned()),
                ("b".to_owned(), "2".to_owned()),
            ]),
            platforms: Vec::new(),
            image: None,
            referrers: Vec::new(),
            ..view()
        };
        insta::assert_snapshot!(text(&artifact, Look::default()), @r"
        Name:            docker.io/library/app
        Reference:       3.20
        Digest:          sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
        Media type:      application/vnd.oci.image.index.v1+json
        Artifact type:   application/vnd.example
        Size:            7.1 MB
        Annotations:     a=1
                         b=2

        Platforms:
          PLATFORM   DIGEST   LAYERS   SIZE
        ");
    }
}
