// SPDX-License-Identifier: Apache-2.0

//! What the page of questions shows is what the plugin prints, of the objects in `questions/objects.yaml`.
//! `UPDATE_TRANSCRIPTS=1` writes it anew.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::transcripts::{blocks, words};
use super::{page, read, root, rows};
use crate::support::http::server::{Handler, Server};
use crate::support::http::{Reply, Request};
use crate::support::now;
use crate::support::program::Program;

const PAGE: &str = "questions.md";
/// When everything of the page is.
const NOW: &str = "2026-11-30T12:00:00Z";

/// An API server that has some objects, and changes none.
struct Objects(Vec<Value>);

impl Objects {
    /// Those of the file, as old as they are on the page.
    fn read(ago: SignedDuration) -> Self {
        let file = read(&root().join("tests/suite/docs/questions/objects.yaml"));
        Self(serde_saphyr::from_multiple(&moved(&file, ago)).unwrap())
    }

    fn find(&self, request: &Request) -> Option<Reply> {
        let path = request.path.strip_prefix("/apis/transship.dev/v1alpha1/")?;
        let parts: Vec<&str> = path.split('/').collect();
        let (namespace, plural, name) = match parts[..] {
            ["namespaces", namespace, plural] => (Some(namespace), plural, None),
            ["namespaces", namespace, plural, name] => (Some(namespace), plural, Some(name)),
            [plural] => (None, plural, None),
            _ => return None,
        };
        let selected = request.parameter("fieldSelector");
        let mirror = selected
            .as_deref()
            .and_then(|selected| selected.strip_prefix("spec.mirror="));
        let mut objects = self.0.iter().filter(|object| {
            plural_of(object) == plural
                && namespace.is_none_or(|namespace| object["metadata"]["namespace"] == namespace)
                && name.is_none_or(|name| object["metadata"]["name"] == name)
                && mirror.is_none_or(|mirror| object["spec"]["mirror"] == mirror)
        });
        if name.is_some() {
            return Some(Reply::json(200, objects.next()?));
        }
        let list = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "List", "metadata": {},
            "items": objects.collect::<Vec<_>>(),
        });
        Some(Reply::json(200, &list))
    }
}

fn plural_of(object: &Value) -> &'static str {
    match object["kind"].as_str().unwrap() {
        "ImageMirror" => "imagemirrors",
        "ImagePolicy" => "imagepolicies",
        "ImageReceiver" => "imagereceivers",
        "MirroredRepository" => "mirroredrepositories",
        kind => panic!("{kind}"),
    }
}

impl Handler for Objects {
    fn answer(&self, request: &Request) -> Reply {
        let missing = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "no"});
        let found = self.find(request);
        found.unwrap_or_else(|| Reply::json(404, &missing))
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}

/// The same text with every time so much later.
fn moved(text: &str, by: SignedDuration) -> String {
    let time = Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let moved = time.replace_all(text, |found: &Captures<'_>| {
        let time: Timestamp = found[0].parse().unwrap();
        format!("{:.0}", time + by)
    });
    moved.into_owned()
}

/// The plugin under its name, and where it finds the server.
fn install(directory: &Path, server: &Server) {
    symlink(
        env!("CARGO_BIN_EXE_transship"),
        directory.join("kubectl-transship"),
    )
    .unwrap();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": format!("http://{}", server.address())}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "platform"}}],
    });
    fs::write(directory.join("config"), config.to_string()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plugin_answers() {
    let ago = SignedDuration::from_secs(
        now().as_second() - NOW.parse::<Timestamp>().unwrap().as_second(),
    );
    let server = Server::start(Arc::new(Objects::read(ago)), None);
    let directory = TempDir::new().unwrap();
    install(directory.path(), &server);
    let text = page(PAGE);
    let mut written = text.clone();
    let commands: Vec<(String, String)> = blocks(&text).into_iter().flatten().collect();
    assert_eq!(commands.len(), rows(&text, "| question |").len());
    for (command, shown) in commands {
        let words = words(&command);
        let ["kubectl", "transship", rest @ ..] =
            &words.iter().map(String::as_str).collect::<Vec<_>>()[..]
        else {
            panic!("{command}")
        };
        let plugin = Program::at(&directory.path().join("kubectl-transship"), rest)
            .environment("KUBECONFIG", directory.path().join("config"))
            .environment("COLUMNS", "110");
        let finished = plugin.run().await;
        assert_ne!(finished.code, Some(2), "{command}: {}", finished.stderr);
        assert_eq!(finished.stderr, "", "{command}");
        let printed = moved(finished.stdout.trim_end(), -ago);
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            let before = format!("$ {command}\n{shown}");
            written = written.replacen(&before, &format!("$ {command}\n{printed}\n"), 1);
        } else {
            assert_eq!(shown.trim_end(), printed, "{command}");
        }
    }
    if written != text {
        fs::write(root().join("docs").join(PAGE), written).unwrap();
    }
}
