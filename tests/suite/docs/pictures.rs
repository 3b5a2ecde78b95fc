// SPDX-License-Identifier: Apache-2.0

//! The pictures of the page are what a browser shows of the objects of `questions/objects.yaml`. `UPDATE_PICTURES=1` takes
//! them anew.

use std::fs;
use std::sync::Arc;

use tempfile::TempDir;

use super::questions::{Objects, age, install};
use super::root;
use crate::support::browser::{Browser, Look};
use crate::support::http::server::Server;
use crate::support::program::Program;

/// Most bytes of a picture.
const BYTES: u64 = 150 * 1024;

const LIGHT: Look = Look {
    name: "light",
    width: 1120,
    height: 760,
    is_dark: false,
};

/// The pictures: the name of the file, what it is scrolled to, and how it is looked at.
const PICTURES: [(&str, &str, Look); 2] = [
    ("page-answers.webp", "answers", LIGHT),
    (
        "page-mirrors.webp",
        "todo",
        Look {
            name: "dark",
            is_dark: true,
            ..LIGHT
        },
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_the_page_looks_like() {
    let directory = root().join("docs/pictures");
    for (name, _, _) in PICTURES {
        let size = fs::metadata(directory.join(name)).map(|file| file.len());
        let is_update = std::env::var_os("UPDATE_PICTURES").is_some();
        assert!(
            is_update || size.as_ref().is_ok_and(|size| *size <= BYTES),
            "{name}: {size:?}: UPDATE_PICTURES=1 takes it anew"
        );
    }
    let Some(mut browser) = Browser::start("docs::pictures::what_the_page_looks_like").await else {
        return;
    };
    let server = Server::start(Arc::new(Objects::read(age())), None);
    let temporary = TempDir::new().unwrap();
    install(temporary.path(), &server);
    let words = [
        "page",
        "-A",
        "nginx:1.27.3",
        "nginx:1.28.0",
        "quay.io/team/cli:3.0.0",
    ];
    let plugin = Program::at(&temporary.path().join("kubectl-transship"), &words);
    let page = plugin
        .environment("KUBECONFIG", temporary.path().join("config"))
        .run()
        .await;
    page.assert_success();
    let file = temporary.path().join("mirrors.html");
    fs::write(&file, page.stdout).unwrap();
    for (name, part, look) in PICTURES {
        browser.look(look).await;
        browser.open(&format!("file://{}", file.display())).await;
        if part != "answers" {
            let scroll = format!("document.getElementById('{part}').scrollIntoView()");
            browser.evaluate(&scroll).await;
        }
        let target = if std::env::var_os("UPDATE_PICTURES").is_some() {
            directory.as_path()
        } else {
            temporary.path()
        };
        browser.picture(&target.join(name)).await;
        let size = fs::metadata(target.join(name)).unwrap().len();
        assert!(size <= BYTES, "{name} has {size} bytes");
    }
    for address in browser.requested() {
        assert!(address.starts_with("file://"), "{address}");
    }
}
