// SPDX-License-Identifier: Apache-2.0

//! Images that wait until their digest has been seen long enough.

use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;
use transship::plan::report::Outcome;

use super::lab::{Lab, good, policy};
use crate::support::faults::FaultRegistry;
use crate::support::program::Program;

const DAYS: [(&str, &str); 1] = [("days", "minAge: 72h")];

fn state() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("state.json");
    (directory, path)
}

/// Makes everything in a state file as if it had been seen long ago.
fn age(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let times = Regex::new(r#""firstSeen": "[^"]+""#).unwrap();
    assert!(times.is_match(&text), "{text}");
    let aged = times.replace_all(&text, r#""firstSeen": "2020-01-01T00:00:00Z""#);
    std::fs::write(path, &*aged).unwrap();
}

#[tokio::test]
async fn a_quarantine_ends_with_its_time_and_begins_again_when_the_tag_moves() {
    let (_directory, path) = state();
    let lab = Lab::with_state(&path);
    lab.source.load("team/app", "1", &good(1).build());
    let mirror = lab.mirror("['1']", &DAYS, "");
    let report = lab.round(&mirror).await;
    let Outcome::Quarantined(quarantine) = &report.tags[0].outcome else {
        panic!("{report:?}")
    };
    assert_eq!(report.next_admission(), Some(quarantine.until));
    assert!(lab.destination.tags("team/app").is_empty());

    let lab = lab.restart(&path);
    let later = lab.round(&mirror).await;
    assert_eq!(
        later.next_admission(),
        report.next_admission(),
        "the first sight counts"
    );

    age(&path);
    let lab = lab.restart(&path);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"]);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Unchanged"]);
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let text = kept.to_string();
    assert!(text.contains("2020-01-01T00:00:00Z"), "{text}");
    let lab = lab.restart(&path);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Unchanged"]);

    lab.source.load("team/app", "1", &good(2).build());
    assert_eq!(lab.outcomes(&mirror).await, ["1: Quarantined by days"]);
    assert_eq!(
        lab.destination.tags("team/app"),
        ["1"],
        "the old image stays"
    );
    age(&path);
    let lab = lab.restart(&path);
    assert_eq!(lab.outcomes(&mirror).await, ["1: Copied"]);
}

#[tokio::test]
async fn a_refusal_does_not_stop_the_time_of_a_quarantine() {
    let (_directory, path) = state();
    let lab = Lab::with_state(&path);
    lab.source
        .load("team/app", "1", &good(1).user("root").build());
    let strict = [DAYS[0], ("strict", "require: {user: NonRoot}")];
    let mirror = lab.mirror("['1']", &strict, "");
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused strict require.user"]
    );
    age(&path);
    let lab = lab.restart(&path);
    assert_eq!(
        lab.outcomes(&mirror).await,
        ["1: Refused strict require.user"]
    );
    let lenient = lab.mirror("['1']", &DAYS, "");
    assert_eq!(lab.outcomes(&lenient).await, ["1: Copied"]);
}

#[tokio::test]
async fn tags_that_are_no_longer_wanted_are_forgotten_unless_that_is_uncertain() {
    let (_directory, path) = state();
    let lab = Lab::with_state(&path);
    for tag in ["1", "2"] {
        lab.source.load("team/app", tag, &good(1).build());
    }
    let waiting = || {
        std::fs::read_to_string(&path)
            .unwrap()
            .matches("sourceDigest")
            .count()
    };
    lab.round(&lab.mirror("['*']", &DAYS, "")).await;
    assert_eq!(waiting(), 2);
    lab.source
        .on("GET", "/tags/list")
        .responds(crate::support::http::Reply::new(403));
    lab.round(&lab.mirror("['1*']", &DAYS, "")).await;
    assert_eq!(waiting(), 2, "the list could not be read");
    lab.source.script().clear_rules();
    lab.round(&lab.mirror("['1*']", &DAYS, "")).await;
    assert_eq!(waiting(), 1);
}

#[tokio::test]
async fn the_command_line_needs_a_memory_and_says_what_waits() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    source.load("team/app", "1", &good(1).build());
    let yaml = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
         source: {{registry: '{}', insecure: true}}\n  images: [{{repository: team/app, tags: ['1']}}]\n  \
         policyRefs: [{{name: days}}]\n  destinations: [{{name: d, registry: '{}', insecure: true}}]\n{}",
        source.host(),
        destination.host(),
        policy("days", "minAge: 72h")
    );
    let run = |arguments: &[&str]| Program::transship(arguments).input(yaml.clone()).run();
    for (command, code) in [("sync", 2), ("plan", 1)] {
        let finished = run(&[command, "-f", "-"]).await;
        assert_eq!(finished.code, Some(code));
        assert!(
            finished
                .stderr
                .contains("ImagePolicy \"days\" of mirror default/m has minAge: add --state FILE"),
            "{}",
            finished.stderr
        );
    }
    let (_directory, path) = state();
    let path = path.to_str().unwrap();
    let finished = run(&["sync", "-f", "-", "--state", path]).await;
    finished.assert_success();
    let text = &finished.stdout;
    let line = format!(
        "quarantined: {}/team/app:1: Quarantined: policy \"days\", minAge: ",
        source.host()
    );
    assert!(
        text.contains(&line) && text.contains("0 copied, 0 unchanged, 1 quarantined"),
        "{text}"
    );

    let finished = run(&["plan", "-o", "json", "-f", "-", "--state", path]).await;
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let tag = &report["mirrors"][0]["tags"][0];
    for (field, expected) in [
        ("action", "Quarantined"),
        ("policy", "days"),
        ("gate", "minAge"),
        ("reason", "Quarantined"),
    ] {
        assert_eq!(tag[field], expected, "{tag}");
    }
    assert_eq!(report["totals"]["quarantined"], 1);
    assert_eq!(finished.code, Some(0), "there is nothing to do");
}

/// What `kubectl get imir,impol,mrepo -o yaml` prints is enough to ask what a controller would do.
#[tokio::test]
async fn a_plan_remembers_what_a_controller_has_on_record() {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let image = good(1).build();
    source.load("team/app", "1", &image);
    source.load("team/app", "2", &good(2).build());
    let waiting = |tag: &str| {
        format!(
            "{{tag: '{tag}', sourceDigest: '{}', firstSeen: '2020-01-01T00:00:00Z'}}",
            image.digest()
        )
    };
    let yaml = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
         source: {{registry: '{}', insecure: true}}\n  images: [{{repository: team/app, tags: ['1', '2']}}]\n  \
         policyRefs: [{{name: days}}]\n  destinations: [{{name: d, registry: '{to}', insecure: true}}]\n{}\
         ---\napiVersion: transship.dev/v1alpha1\nkind: MirroredRepository\nmetadata: {{name: mr-1}}\n\
         spec: {{mirror: m, destination: d, repository: '{to}/team/app', part: 0}}\nstatus: {{waiting: [{}, {}]}}\n",
        source.host(),
        policy("days", "minAge: 72h"),
        waiting("1"),
        waiting("2"),
        to = destination.host(),
    );
    let plan = Program::transship(&["plan", "-o", "json", "-f", "-"]).input(yaml.clone());
    let finished = plan.run().await;
    let report: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", finished.stderr));
    let tags = report["mirrors"][0]["tags"].as_array().unwrap().iter();
    let actions: Vec<&str> = tags.map(|tag| tag["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        ["Planned", "Quarantined"],
        "the other one has moved"
    );

    // Whoever writes keeps records of its own.
    let finished = Program::transship(&["sync", "-f", "-"]).input(yaml).run();
    assert_eq!(finished.await.code, Some(2));
}
