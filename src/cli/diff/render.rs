// SPDX-License-Identifier: Apache-2.0

//! Differences as text, in the manner of diff: `-` is what only the left side has, `+` what only the right one has.

use super::compare::{Difference, FieldDifference, LayerView, PlatformDifference};
use crate::cli::look::Look;
use crate::cli::table::{Table, one_line};
use crate::cli::units;
use crate::oci::Digest;

/// The longest value of a field that is shown where nobody asked for all of it, in characters.
const VALUE: usize = 60;

/// All of it.
pub(super) fn text(difference: &Difference, look: Look) -> String {
    let Difference {
        left,
        right,
        platforms,
        same,
    } = difference;
    let mut text = String::new();
    for (sign, side) in [('-', left), ('+', right)] {
        let size = side.size.map(|size| format!("  {}", units::bytes(size)));
        let line = format!(
            "{sign} {}  {}{}",
            side.reference,
            look.digest(&side.digest),
            size.unwrap_or_default()
        );
        text.push_str(&one_line(&line));
        text.push('\n');
    }
    if difference.is_same() {
        text.push_str("\nthe same image\n");
        return text;
    }
    text.push('\n');
    text.push_str(&platforms_table(platforms, look));
    if *same > 0 {
        let word = if *same == 1 {
            "platform is"
        } else {
            "platforms are"
        };
        text.push_str(&[&same.to_string(), " other ", word, " the same\n"].concat());
    }
    for platform in platforms {
        text.push_str(&details(platform, look));
    }
    text
}

fn platforms_table(platforms: &[PlatformDifference], look: Look) -> String {
    let mut table = Table::new(["PLATFORM", "LEFT", "RIGHT", "SIZE"]);
    let digest =
        |digest: Option<&Digest>| digest.map(|digest| look.digest(digest)).unwrap_or_default();
    for platform in platforms {
        table.row([
            platform.platform.clone(),
            digest(platform.left.as_ref()),
            digest(platform.right.as_ref()),
            signed(platform.bytes),
        ]);
    }
    table.fit(look.width)
}

/// What is different of a platform that both sides have.
fn details(platform: &PlatformDifference, look: Look) -> String {
    let PlatformDifference {
        config,
        common_layers,
        removed,
        added,
        left,
        right,
        ..
    } = platform;
    if left.is_none() || right.is_none() {
        return String::new();
    }
    let mut lines = vec![String::new(), format!("{}:", platform.platform)];
    for FieldDifference { field, left, right } in config {
        for (sign, value) in [('-', left), ('+', right)] {
            let value = value.as_ref().map(|value| cut(value, look));
            lines.extend(value.map(|value| format!("  {sign} {field}: {value}")));
        }
    }
    let noun = if *common_layers == 1 {
        "layer"
    } else {
        "layers"
    };
    lines.push(format!("  {common_layers} {noun} in common"));
    for (sign, layers) in [('-', removed), ('+', added)] {
        for LayerView { digest, size } in layers {
            lines.push(format!(
                "  {sign} layer {}  {}",
                look.digest(digest),
                units::bytes(*size)
            ));
        }
    }
    lines.iter().map(|line| one_line(line) + "\n").collect()
}

fn cut(value: &str, look: Look) -> String {
    if look.is_wide || value.chars().count() <= VALUE {
        return value.to_owned();
    }
    value.chars().take(VALUE - 1).chain(['…']).collect()
}

fn signed(bytes: i64) -> String {
    let size = units::bytes(bytes.unsigned_abs());
    match bytes {
        0 => "same".to_owned(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}
