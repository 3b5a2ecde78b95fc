//! The view as text: sections, each with its heading.

use std::collections::BTreeMap;

use super::super::config::Step;
use super::super::table::{Table, align, one_line};
use super::super::units;
use super::view::{ConfigView, Details, ImageView, LayerView, PlatformView, ReferrerView};

/// Everything, with an empty line between two sections.
pub(super) fn text(view: &ImageView) -> String {
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
    let mut sections = vec![head, section("Platforms", &platforms_table(platforms))];
    if let Some(details) = image {
        sections.extend(details_sections(details));
    }
    if !referrers.is_empty() {
        sections.push(section("Referrers", &referrers_table(referrers)));
    }
    sections.join("\n")
}

fn details_sections(details: &Details) -> Vec<String> {
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
        section("Layers", &layers_table(layers)),
    ];
    if !history.is_empty() {
        sections.push(section("History", &history_table(history)));
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

fn platforms_table(platforms: &[PlatformView]) -> String {
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
            digest.to_string(),
            layers.to_string(),
            units::bytes(*size),
        ]);
    }
    table.to_string()
}

fn layers_table(layers: &[LayerView]) -> String {
    let mut table = Table::new(["DIGEST", "SIZE", "MEDIA TYPE"]);
    for LayerView {
        digest,
        size,
        media_type,
    } in layers
    {
        table.row([
            digest.to_string(),
            units::bytes(*size),
            media_type.to_string(),
        ]);
    }
    table.to_string()
}

fn history_table(history: &[Step]) -> String {
    let mut table = Table::new(["CREATED", "LAYER", "STEP"]);
    for Step {
        created,
        created_by,
        empty_layer,
    } in history
    {
        let layer = if *empty_layer { "no" } else { "yes" };
        table.row([
            created.clone().unwrap_or_default(),
            layer.to_owned(),
            created_by.clone(),
        ]);
    }
    table.to_string()
}

fn referrers_table(referrers: &[ReferrerView]) -> String {
    let mut table = Table::new(["TYPE", "DIGEST", "TAG"]);
    for ReferrerView {
        artifact_type,
        digest,
        tag,
    } in referrers
    {
        table.row([
            artifact_type.clone(),
            digest.to_string(),
            tag.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

// === shared ===

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
