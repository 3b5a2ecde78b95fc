// SPDX-License-Identifier: Apache-2.0

//! `init`: five questions, and a first mirror that `sync` takes as it is.

use std::fs;
use std::path::Path;

use super::{Files, with_names};
use crate::support::content::ImageBuilder;
use crate::support::program::Program;
use crate::support::registries::{Kind, Registry, Security};

/// Two registries, and the tags 1.0, 1.1 and 2.0 of `team/app` in the first.
struct Lab {
    source: Registry,
    destination: Registry,
    files: Files,
}

impl Lab {
    async fn new() -> Self {
        let source = Registry::start(Kind::Distribution3, Security::Plain).await;
        for (seed, tag) in [(1, "1.0"), (2, "1.1"), (3, "2.0")] {
            let image = ImageBuilder::new(seed).layers(&[1_000]).build();
            source.client().push("team/app", tag, &image).await;
        }
        Self {
            source,
            destination: Registry::start(Kind::Distribution3, Security::Plain).await,
            files: Files::new(&[]),
        }
    }

    fn program(&self, arguments: &[&str]) -> Program {
        let hosts = format!("{},{}", self.source.host(), self.destination.host());
        let program = self.files.transship(arguments);
        program.environment("TRANSSHIP_INSECURE", hosts)
    }

    fn plain(&self, text: &str) -> String {
        let names = [(&self.source, "SOURCE"), (&self.destination, "DESTINATION")];
        with_names(text, &names)
    }

    fn from(&self) -> String {
        format!("{}/team/app", self.source.host())
    }

    fn to(&self) -> String {
        format!("{}/mirror", self.destination.host())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_answer_everything_and_the_file_is_synced() {
    let lab = Lab::new().await;
    let (from, to) = (lab.from(), lab.to());
    let init = ["init", "--from", &from, "--to", &to];
    let tags = ["--tags", ">=1.1 <2", "--yes", "--namespace", "platform"];
    let written = lab.program(&[&init[..], &tags].concat()).run().await;
    written.assert_success();
    insta::assert_snapshot!(lab.plain(&written.stdout));
    let yaml = fs::read_to_string(lab.files.path("mirror.yaml")).unwrap();
    insta::assert_snapshot!(lab.plain(&yaml));
    let synced = lab.program(&["sync", "-f", "mirror.yaml"]).run().await;
    synced.assert_success();
    let tags = lab
        .destination
        .client()
        .tags("mirror/team/app")
        .await
        .unwrap();
    assert_eq!(tags, ["1.1"]);

    // What is there stays, unless somebody says otherwise.
    let other = [&init[..], &["--yes", "--tags", "1.*,2.0"]].concat();
    let refused = lab.program(&other).run().await;
    assert_eq!(refused.code, Some(2));
    insta::assert_snapshot!(refused.stderr);
    assert_eq!(
        fs::read_to_string(lab.files.path("mirror.yaml")).unwrap(),
        yaml
    );
    let forced = [
        &other[..],
        &["--force", "--secret", "push", "--prune", "plan"],
    ]
    .concat();
    let forced = lab.program(&forced).run().await;
    forced.assert_success();
    insta::assert_snapshot!(lab.plain(&forced.stdout));
    let yaml = fs::read_to_string(lab.files.path("mirror.yaml")).unwrap();
    insta::assert_snapshot!(lab.plain(&yaml));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_through_a_pipe_and_what_is_doubtful_is_said() {
    let lab = Lab::new().await;
    let (from, to) = (lab.from(), lab.to());
    let missing = format!("{}/team/nothing", lab.source.host());
    let itself = lab.source.host();
    let here = ["--from", &from, "--to", &to];
    let answers = [
        vec!["init"],
        vec!["init", "--from", "alpine", "--tags", "1"],
        vec!["init", "--yes"],
        vec!["init", "--from", "Alpine", "--to", &to, "--yes"],
        [&["init"], &here[..2], &["--to", &itself, "--yes"]].concat(),
        [&["init", "--tags", "3.*", "-y"], &here[..]].concat(),
        vec!["init", "a.yaml", "--from", &missing, "--to", &to, "--yes"],
        vec![
            "init",
            "none/a.yaml",
            "--from",
            "a.test/b",
            "--to",
            "c.test",
            "--yes",
            "--offline",
        ],
    ];
    let mut told = String::new();
    for words in &answers {
        let finished = lab.program(words).run().await;
        let line = format!("$ transship {}\n{}", words.join(" "), finished.stderr);
        let (line, code) = (lab.plain(&line), finished.code.unwrap());
        told = format!("{told}{line}[{code}]\n");
    }
    insta::assert_snapshot!(told);
}

/// A person at a terminal, as `script` of util-linux makes one.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_again_with_the_reason() {
    let lab = Lab::new().await;
    let typed = [
        "Team App",
        &lab.from(),
        "9.9",
        "1.0,",
        &lab.source.host(),
        &lab.to(),
        "Push!",
        "",
        "perhaps",
        "plan",
    ]
    .map(|line| line.to_owned() + "\n");
    let command = format!("{} init first.yaml", env!("CARGO_BIN_EXE_transship"));
    let hosts = format!("{},{}", lab.source.host(), lab.destination.host());
    let terminal = Program::at(
        Path::new("/usr/bin/script"),
        &["-qec", &command, "/dev/null"],
    )
    .directory(lab.files.0.path())
    .environment("TRANSSHIP_INSECURE", hosts)
    .input(typed.concat().into_bytes())
    .run()
    .await;
    let seen = lab.plain(&terminal.stdout).replace('\r', "");
    assert_eq!(terminal.code, Some(0), "{seen}");
    for part in [
        "1/5 Which repository is to be mirrored?",
        "  no: ",
        "9.9 is none of its 3 tags: there are 2.0, 1.1, 1.0",
        "would be copied onto itself",
        "Enter alone if it is right all the same",
        "no: say keep, plan or delete",
        "wrote first.yaml: it selects 1 of the 3 tags of SOURCE/team/app",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    let yaml = fs::read_to_string(lab.files.path("first.yaml")).unwrap();
    assert!(
        yaml.contains("tags: [\"1.0\"]") && yaml.contains("prune: {mode: Plan}"),
        "{yaml}"
    );
    let planned = lab.program(&["plan", "-f", "first.yaml"]).run().await;
    assert_eq!(planned.code, Some(2), "{}", planned.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_needs_is_in_the_file_and_in_the_commands() {
    let source = Registry::start(Kind::Distribution3, Security::Tls).await;
    let image = ImageBuilder::new(1).layers(&[1_000]).build();
    source.client().push("team/app", "1", &image).await;
    let destination = Registry::start(Kind::Distribution3, Security::Plain).await;
    let files = Files::new(&[("ca.crt", source.ca_pem().unwrap())]);
    let from = format!("{}/team/app:1", source.host());
    let to = format!("{}/mirror", destination.host());
    let flags = ["--from", &from, "--to", &to, "--yes"];
    let trusting = [&flags[..], &["--ca-file", "ca.crt"]].concat();
    let cases = [
        ("here.yaml", trusting.clone()),
        (
            "cluster.yaml",
            [&trusting[..], &["--secret", "push"]].concat(),
        ),
        ("unknown.yaml", [&flags[..], &["--secret", "push"]].concat()),
        ("unseen.yaml", [&trusting[..], &["--offline"]].concat()),
    ];
    let mut told = String::new();
    for (file, flags) in cases {
        let finished = files.run(&[&["init", file], &flags[..]].concat()).await;
        finished.assert_success();
        let yaml = fs::read_to_string(files.path(file)).unwrap();
        let spec = yaml.split("spec:").nth(1).unwrap();
        let spec = spec.split("  interval").next().unwrap();
        told = format!("{told}{}{}{spec}===\n", finished.stderr, finished.stdout);
    }
    let names = [(&source, "SOURCE"), (&destination, "DESTINATION")];
    insta::assert_snapshot!(with_names(&told, &names));
    let sync = ["sync", "-f", "here.yaml", "--ca-file", "ca.crt"];
    files.run(&sync).await.assert_success();

    // A host without a port is that of all its registries, as for every command.
    let whole = [
        &["init", "all.yaml"],
        &flags[..],
        &["--insecure", "127.0.0.1", "--offline"],
    ];
    files.run(&whole.concat()).await.assert_success();
    let yaml = fs::read_to_string(files.path("all.yaml")).unwrap();
    assert_eq!(yaml.matches(" insecure: true").count(), 2, "{yaml}");
}
