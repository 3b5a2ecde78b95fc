// SPDX-License-Identifier: Apache-2.0

//! The state file: one run at a time, whole or not at all, and bound to whose it is.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::{Value, json};

use super::{Files, mirror};
use crate::support::content::ImageBuilder;
use crate::support::registries::{Kind, Registry, Security};

const SYNC: [&str; 5] = ["sync", "-f", "mirror.yaml", "--state", "state.json"];

/// Two registries, of which the first has `app:1`, and a mirror between them.
async fn lab() -> (Registry, Registry, Files) {
    let source = Registry::start(Kind::Distribution3, Security::Plain).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    source.client().push("app", "1", &image).await;
    let files = Files::new(&[("mirror.yaml", &mirror(&source, &destination))]);
    (source, destination, files)
}

fn state(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_state_file_stops_a_run_before_the_first_push() {
    let (_source, destination, files) = lab().await;
    fs::write(files.path("else.txt"), "precious").unwrap();
    fs::write(files.path("newer.json"), r#"{"version": 9, "more": 1}"#).unwrap();
    fs::write(files.path("target.json"), "{}").unwrap();
    symlink("target.json", files.path("link.json")).unwrap();
    fs::create_dir(files.path("folder.json")).unwrap();
    let _socket = UnixListener::bind(files.path("socket")).unwrap();
    let large = File::create(files.path("large.json")).unwrap();
    large.set_len((512 << 20) + 1).unwrap();
    for (path, expected) in [
        ("else.txt", "else.txt is not a state file of this version"),
        ("newer.json", "has version 9, this program writes 4"),
        ("link.json", "is a symbolic link"),
        ("folder.json", "is a directory"),
        ("socket", "is a socket"),
        ("/dev/full", "is a device"),
        (
            "large.json",
            "has 536870913 bytes, at most 536870912 are read",
        ),
        (
            "none/state.json",
            "cannot write the state file none/state.json.lock: No such file",
        ),
    ] {
        let finished = files
            .run(&["sync", "-f", "mirror.yaml", "--state", path])
            .await;
        assert_eq!(finished.code, Some(2), "{path}: {}", finished.stderr);
        assert!(finished.stderr.contains(expected), "{}", finished.stderr);
    }
    assert_eq!(destination.requests().await, []);
    assert_eq!(
        fs::read_to_string(files.path("else.txt")).unwrap(),
        "precious"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_is_told_who_has_the_state_or_waits() {
    let (_source, destination, files) = lab().await;
    let lock = File::create(files.path("state.json.lock")).unwrap();
    let holder =
        json!({"holder": {"pid": 4711, "host": "builder", "since": "2026-01-02T03:04:05Z"}});
    fs::write(files.path("state.json.lock"), holder.to_string()).unwrap();
    lock.lock().unwrap();
    let refused = files.run(&SYNC).await;
    assert_eq!(refused.code, Some(2));
    assert_eq!(
        refused.stderr,
        "error: the state file state.json is in use by process 4711 on builder since 2026-01-02T03:04:05Z: wait for it \
         with --lock-timeout, or give each run a file of its own\n"
    );
    assert_eq!(destination.requests().await, []);
    let looking = files
        .run(&["plan", "-f", "mirror.yaml", "--state", "state.json"])
        .await;
    assert_eq!(looking.code, Some(2), "something to do: {}", looking.stderr);
    assert!(!files.path("state.json").exists());

    let waiting = files
        .transship(&[&SYNC[..], &["--lock-timeout", "5m"]].concat())
        .start();
    lock.unlock().unwrap();
    waiting.finish().await.assert_success();
    assert_eq!(state(&files.path("state.json"))["version"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_keeps_its_permissions_and_counts_how_often_it_was_written() {
    let (_source, _destination, files) = lab().await;
    let path = files.path("state.json");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    files.run(&SYNC).await.assert_success();
    assert_eq!(mode(), 0o600);
    let first = state(&path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    files.run(&SYNC).await.assert_success();
    assert_eq!(mode(), 0o640);
    let second = state(&path);
    assert_eq!(first["origin"]["id"], second["origin"]["id"]);
    assert!(first["origin"]["serial"].as_u64() < second["origin"]["serial"].as_u64());
    assert!(!files.path("state.json.new").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_different_mirrors_keep_each_others_records() {
    let (source, destination, files) = lab().await;
    let other = mirror(&source, &destination).replace("name: m", "name: other");
    fs::write(files.path("other.yaml"), other).unwrap();
    files.run(&SYNC).await.assert_success();
    let other = ["sync", "-f", "other.yaml", "--state", "state.json"];
    files.run(&other).await.assert_success();
    let found = state(&files.path("state.json"));
    let mirrors: Vec<&String> = found["mirrors"].as_object().unwrap().keys().collect();
    assert_eq!(mirrors, ["default/m", "default/other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_copy_of_a_state_file_makes_what_is_on_record_adopted() {
    let (_source, _destination, files) = lab().await;
    let path = files.path("state.json");
    let adopted = || {
        let text = fs::read_to_string(&path).unwrap();
        text.matches("\"adopted\": true").count()
    };
    files.run(&SYNC).await.assert_success();
    assert_eq!(adopted(), 0);
    let older = fs::read(&path).unwrap();
    files.run(&SYNC).await.assert_success();
    assert_eq!(adopted(), 0);
    fs::write(&path, older).unwrap();
    let finished = files.run(&SYNC).await;
    finished.assert_success();
    assert!(
        finished.stderr.contains("is an older copy of itself"),
        "{}",
        finished.stderr
    );
    assert_eq!(adopted(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_something_else_wrote_makes_what_is_on_record_adopted() {
    let (_source, _destination, files) = lab().await;
    let path = files.path("state.json");
    let read = || fs::read_to_string(&path).unwrap();
    files.run(&SYNC).await.assert_success();
    files.run(&SYNC).await.assert_success();
    assert!(!read().contains("\"adopted\": true"));
    fs::write(
        &path,
        read().replace("\"copiedAt\": \"20", "\"copiedAt\": \"19"),
    )
    .unwrap();
    // Looking is not writing.
    files
        .run(&["plan", "-f", "mirror.yaml", "--state", "state.json"])
        .await;
    let finished = files.run(&SYNC).await;
    finished.assert_success();
    assert!(
        finished.stderr.contains("was changed by something else"),
        "{}",
        finished.stderr
    );
    assert!(read().contains("\"adopted\": true"));
    let finished = files.run(&SYNC).await;
    assert!(
        !finished.stderr.contains("was changed"),
        "{}",
        finished.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_in_which_a_name_stands_twice_is_refused() {
    let (_source, _destination, files) = lab().await;
    let path = files.path("state.json");
    files.run(&SYNC).await.assert_success();
    let text = fs::read_to_string(&path).unwrap();
    let twice = text.replacen("\"mirrors\": {", "\"mirrors\": {\n\"default/m\": {},", 1);
    assert_ne!(text, twice);
    fs::write(&path, &twice).unwrap();
    let finished = files.run(&SYNC).await;
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    let line = 2 + twice.lines().position(|line| line.contains("{},")).unwrap();
    let said = format!("\"default/m\" stands there twice at line {line} ");
    assert!(finished.stderr.contains(&said), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), twice);
}

/// Prunes all that is due at once: nothing has to be unwanted for long.
const PRUNED: &str = "  prune: {mode: Delete, grace: 0s, maxPercent: 100, inUse: Ignore}\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_state_of_another_place_deletes_nothing_and_is_itself_again_there() {
    let (source, destination, files) = lab().await;
    let path = files.path("state.json");
    let production = mirror(&source, &destination) + PRUNED;
    let staging = production.replace(
        "{name: d, ",
        "{name: d, repository: 'staging/{repository}', ",
    );
    fs::write(files.path("staging.yaml"), &staging).unwrap();
    fs::write(files.path("mirror.yaml"), &production).unwrap();
    let names = || -> Vec<String> {
        let found = state(&path);
        found["mirrors"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let run = async |command: &str, file: &str, more: &[&str]| {
        let arguments = [&[command, "-f", file, "--state", "state.json"][..], more].concat();
        let finished = files.run(&arguments).await;
        finished.assert_success();
        finished
    };
    run("sync", "staging.yaml", &[]).await;
    let first = state(&path)["mirrors"]["default/m"].clone();

    let said = run("sync", "mirror.yaml", &[]).await.stderr;
    assert!(said.contains("writes destination d to"), "{said}");
    for _ in 0..3 {
        run("prune", "mirror.yaml", &["--delete"]).await;
    }
    let aside = format!("default/m at {}/staging/{{repository}}", destination.host());
    assert_eq!(names(), ["default/m", aside.as_str()]);
    let client = destination.client();
    assert_eq!(client.tags("staging/app").await.unwrap(), ["1"]);

    run("sync", "staging.yaml", &[]).await;
    assert_eq!(state(&path)["mirrors"]["default/m"], first);

    for _ in 0..3 {
        run("prune", "mirror.yaml", &["--delete", "--moved"]).await;
    }
    assert_eq!(names(), ["default/m"]);
    assert_eq!(client.tags("app").await.unwrap(), ["1"]);
    assert_eq!(
        client.tags("staging/app").await.unwrap_or_default(),
        [""; 0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_needs_a_state_file_that_is_there() {
    let (_source, _destination, files) = lab().await;
    for (command, code) in [("prune", 1), ("restore", 2)] {
        let finished = files
            .run(&[command, "-f", "mirror.yaml", "--state", "none.json"])
            .await;
        assert_eq!(finished.code, Some(code));
        assert_eq!(
            finished.stderr,
            "error: there is no state file none.json: name the one that `transship sync --state` keeps\n"
        );
        assert!(!files.path("none.json").exists() && !files.path("none.json.lock").exists());
    }
}

/// Why another mirror takes no part, and how it is left out.
const BYSTANDERS: [(&str, &str, &[&str]); 3] = [
    ("it keeps everything", "", &[]),
    (
        "it is suspended",
        "  suspend: true\n  prune: {mode: Delete}\n",
        &[],
    ),
    ("the arguments leave it out", PRUNED, &["--mirror", "m"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mirror_wants_that_takes_no_part_is_not_pruned() {
    for (why, more, arguments) in BYSTANDERS {
        let (source, destination, files) = lab().await;
        let image = ImageBuilder::new(2).layers(&[1_000]).build();
        source.client().push("app", "2", &image).await;
        let all = mirror(&source, &destination) + PRUNED;
        fs::write(files.path("mirror.yaml"), &all).unwrap();
        files.run(&SYNC).await.assert_success();
        let one = all.replace("'*'", "'2'");
        let other = mirror(&source, &destination)
            .replace("name: m", "name: other")
            .replace("'*'", "'1'");
        let both = format!("{one}---\n{other}{more}");
        fs::write(files.path("mirror.yaml"), both).unwrap();
        let prune = [
            "prune",
            "-f",
            "mirror.yaml",
            "--state",
            "state.json",
            "--delete",
        ];
        let prune = [&prune[..], arguments].concat();
        let tags = async || destination.client().tags("app").await.unwrap();
        for _ in 0..3 {
            files.run(&prune).await;
            assert_eq!(tags().await, ["1", "2"], "{why}");
        }
        fs::write(files.path("mirror.yaml"), &one).unwrap();
        for _ in 0..3 {
            files.run(&prune).await;
        }
        assert_eq!(tags().await, ["2"], "{why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_once() {
    let (source, destination, files) = lab().await;
    let image = ImageBuilder::new(2).layers(&[1_000]).build();
    source.client().push("app", "2", &image).await;
    let all = mirror(&source, &destination) + &PRUNED.replace("maxPercent: 100", "maxPercent: 1");
    fs::write(files.path("mirror.yaml"), &all).unwrap();
    files.run(&SYNC).await.assert_success();
    fs::write(files.path("mirror.yaml"), all.replace("'*'", "'2'")).unwrap();
    let prune = [
        "prune",
        "-f",
        "mirror.yaml",
        "--state",
        "state.json",
        "-o",
        "json",
        "--delete",
    ];
    files.run(&prune).await;
    let report: Value = serde_json::from_str(&files.run(&prune).await.stdout).unwrap();
    let plan = report["mirrors"][0]["prune"]["plan"].as_str().unwrap();
    let approved = [&prune[..], &["--approve", plan]].concat();
    files.run(&approved).await.assert_success();
    assert_eq!(destination.client().tags("app").await.unwrap(), ["2"]);
    let found = state(&files.path("state.json"));
    assert!(found["origin"]["approved"]["default/m"][plan].is_string());
    let again = files.run(&approved).await;
    let expected = format!("note: the approval of {plan} was used for mirror default/m at ");
    assert!(again.stderr.contains(&expected), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_remembers_nothing_is_told_that_every_tag_is_asked_for() {
    let (source, destination, files) = lab().await;
    let plain = mirror(&source, &destination);
    let immutable = format!("{plain}  immutableTags: ['*']\n");
    let two = format!(
        "{immutable}---\n{}",
        immutable.replace("name: m", "name: other")
    );
    fs::write(files.path("immutable.yaml"), &immutable).unwrap();
    fs::write(
        files.path("two.yaml"),
        two.replacen("name: d,", "repository: 'm/{repository}', name: d,", 1),
    )
    .unwrap();
    let told = "warning: nothing is remembered without --state FILE: each tag of mirror default/m";
    for (words, expected) in [
        (
            &["-f", "immutable.yaml"][..],
            vec![format!("{told} is asked for")],
        ),
        (
            &["-f", "two.yaml"],
            vec![format!("{told} and 1 more is asked for")],
        ),
        (&["-f", "immutable.yaml", "--state", "state.json"], vec![]),
        (&["-f", "immutable.yaml", "-q"], vec![]),
        (&["-f", "immutable.yaml", "--dry-run"], vec![]),
        (&["-f", "mirror.yaml"], vec![]),
    ] {
        let finished = files.run(&[&["sync"], words].concat()).await;
        finished.assert_success();
        let lines = finished.stderr.lines();
        let warnings: Vec<&str> = lines.filter(|line| line.starts_with("warning")).collect();
        assert_eq!(warnings.len(), expected.len(), "{words:?}: {warnings:?}");
        for (warning, expected) in warnings.iter().zip(&expected) {
            assert!(warning.starts_with(expected), "{warning}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_remembers_nothing_is_told_once_that_nothing_can_be_deleted() {
    let (source, destination, files) = lab().await;
    let pruning = |name: &str, mode: &str| {
        let plain = mirror(&source, &destination).replace("name: m", &format!("name: {name}"));
        let plain = plain.replace(
            "name: d,",
            &format!("name: d, repository: '{name}/{{repository}}',"),
        );
        format!("{plain}  prune: {{mode: {mode}}}\n")
    };
    let mirrors = [
        pruning("a", "Delete"),
        pruning("b", "Plan"),
        pruning("c", "Retain"),
    ];
    fs::write(files.path("pruning.yaml"), mirrors.join("---\n")).unwrap();
    let told = "not pruned: default/a and 1 more: PrunePaused: nothing can be deleted, because nothing is remembered of \
                what earlier runs wrote: pass --state FILE to each run";
    let sync = ["sync", "-f", "pruning.yaml"];
    let with_state = ["sync", "-f", "pruning.yaml", "--state", "state.json"];
    let plan = ["plan", "-f", "pruning.yaml"];
    for (words, expected) in [(&sync[..], 1), (&sync, 1), (&plan, 1), (&with_state, 0)] {
        let finished = files.run(words).await;
        finished.assert_success();
        let said = finished.stdout.matches("nothing is remembered").count();
        assert_eq!(said, expected, "{words:?}: {}", finished.stdout);
        let is_told = finished.stdout.lines().any(|line| line == told);
        assert_eq!(is_told, expected == 1, "{words:?}: {}", finished.stdout);
    }
}
