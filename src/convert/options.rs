// SPDX-License-Identifier: Apache-2.0

//! What holds for a mirror as a whole, in its fields.

use super::rule::{Options, Referrers, Times};
use super::yaml::Yaml;

/// The interval of a mirror that says none.
const DEFAULT_INTERVAL: &str = "1h";

/// The options that are not as they are anyway.
pub(super) fn options(options: &Options) -> Vec<(&'static str, Yaml)> {
    let Options {
        platforms,
        unwraps,
        referrers,
        frozen,
        previous_tag: _,
        times,
        suspended,
    } = options;
    let mut fields = Vec::new();
    if !platforms.is_empty() {
        let rest = if *unwraps {
            ("index", Yaml::text("Unwrap"))
        } else {
            ("absent", Yaml::text("Skip"))
        };
        let list = vec![
            ("mode", Yaml::text("List")),
            ("list", Yaml::texts(platforms)),
            rest,
        ];
        fields.push(("platforms", Yaml::Map(list)));
    }
    match referrers {
        Referrers::All => {}
        Referrers::None => {
            fields.push(("referrers", Yaml::Map(vec![("mode", Yaml::text("Skip"))])));
        }
        Referrers::Types(types) => fields.push((
            "referrers",
            Yaml::Map(vec![("artifactTypes", Yaml::texts(types))]),
        )),
    }
    if *frozen {
        fields.push(("tagMutability", Yaml::text("Freeze")));
    }
    match times {
        Times::Unsaid => {}
        Times::Every(interval) if interval == DEFAULT_INTERVAL => {}
        Times::Every(interval) => fields.push(("interval", Yaml::text(interval))),
        Times::Cron(cron) => fields.push(("schedule", Yaml::Map(vec![("cron", Yaml::text(cron))]))),
    }
    if *suspended {
        fields.push(("suspend", Yaml::bare(true)));
    }
    fields
}
