// SPDX-License-Identifier: Apache-2.0

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// Something that must not be shown.
const CANARY: &str = "canary-0815";

/// An API server that gives one answer to everything, and remembers what was asked.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<HeaderMap>>>,
    _task: AbortOnDropHandle<()>,
}

impl Server {
    async fn answering(code: StatusCode, header: (&'static str, &'static str), body: &str) -> Self {
        let requests = Arc::<Mutex<Vec<HeaderMap>>>::default();
        let (seen, body) = (Arc::clone(&requests), body.to_owned());
        let answer = move |request: Request| async move {
            seen.lock().unwrap().push(request.headers().clone());
            (code, [header], body)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serve = axum::serve(listener, Router::new().fallback(answer));
        let task = tokio::spawn(async move { serve.await.unwrap() });
        Self {
            url,
            requests,
            _task: AbortOnDropHandle::new(task),
        }
    }
}

/// A kubeconfig in a directory of its own.
fn kubeconfig(server: &str) -> (TempDir, PathBuf) {
    write(&format!(
        "apiVersion: v1
kind: Config
current-context: lab
contexts:
- {{name: lab, context: {{cluster: lab, user: lab, namespace: team}}}}
- {{name: lost, context: {{cluster: nowhere, user: lab}}}}
clusters:
- {{name: lab, cluster: {{server: '{server}'}}}}
users:
- {{name: lab, user: {{token: {CANARY}}}}}
"
    ))
}

fn write(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

async fn clients(server: &Server) -> Clients {
    let (_directory, path) = kubeconfig(&server.url);
    Clients::configure(Some(&path), None).await.unwrap()
}

#[tokio::test]
async fn a_kubeconfig_leads_to_its_api_server() {
    let version = r#"{"major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "",
        "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}"#;
    let server = Server::answering(StatusCode::OK, ("x-lab", "1"), version).await;
    let clients = clients(&server).await;
    assert_eq!(clients.version().await.unwrap(), "v1.36.3");
    assert_eq!(clients.pod_namespace, None);
    let host = server.url.trim_start_matches("http://");
    assert_eq!(
        clients.server,
        format!("the API server {host} of context \"lab\"")
    );
    assert_eq!(clients.call.default_namespace(), "team");
    let requests = server.requests.lock().unwrap();
    assert_eq!(requests[0]["user-agent"], USER_AGENT);
    assert_eq!(requests[0]["authorization"], format!("Bearer {CANARY}"));
}

#[tokio::test]
async fn nothing_is_repeated_behind_the_callers_back() {
    let later = ("retry-after", "3600");
    let server = Server::answering(StatusCode::TOO_MANY_REQUESTS, later, "").await;
    let clients = clients(&server).await;
    for client in [&clients.call, &clients.watch] {
        client.apiserver_version().await.unwrap_err();
    }
    assert_eq!(server.requests.lock().unwrap().len(), 2);
}

#[test]
fn every_wait_has_an_end() {
    let config = Config::new("https://127.0.0.1:6443".parse().unwrap());
    let call = bounded(&config, CALL_TIMEOUT);
    assert_eq!(call.connect_timeout, Some(CONNECT_TIMEOUT));
    assert_eq!(call.write_timeout, Some(CALL_TIMEOUT));
    assert_eq!(call.read_timeout, Some(CALL_TIMEOUT));
    assert!(call.reset_reader_on_write);
    assert!(!call.default_retry);
    assert_eq!(
        bounded(&config, WATCH_TIMEOUT).read_timeout,
        Some(WATCH_TIMEOUT)
    );
}

#[tokio::test]
async fn a_wrong_kubeconfig_is_told_without_its_secrets() {
    let (_first, good) = kubeconfig("https://127.0.0.1:1");
    let (_second, broken) = write(&format!("users:\n- name: a\n  user: {{token: {CANARY}\n"));
    let (_third, odd) = write(&format!("kind: Config\nusers: {CANARY}\n"));
    let (_fourth, vague) = write("apiVersion: v1\nkind: Config\n");
    let missing = good.with_file_name("missing");
    let cases = [
        (
            &missing,
            None,
            "missing: No such file or directory (os error 2)",
        ),
        (&broken, None, "it is not a kubeconfig (line "),
        (&odd, None, "it is not a kubeconfig (line 2, column 8)"),
        (
            &vague,
            None,
            "it has no current-context: give --context NAME",
        ),
        (&good, Some("typo"), "it has no context \"typo\""),
        (&good, Some("lost"), "it has no cluster \"nowhere\""),
    ];
    for (path, context, expected) in cases {
        let Err(error) = Clients::configure(Some(path), context).await else {
            panic!("{expected}: it was taken");
        };
        let (message, named) = (error.to_string(), path.display().to_string());
        assert!(message.contains(expected), "{message}");
        assert!(message.contains(&named), "{message}");
        assert!(!message.contains(CANARY), "{message}");
    }
}

#[tokio::test]
async fn an_api_server_that_is_not_there_is_told_by_its_cause() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let (_directory, path) = kubeconfig(&url);
    let clients = Clients::configure(Some(&path), None).await.unwrap();
    let error = clients.version().await.unwrap_err();
    insta::assert_snapshot!(error, @"cannot reach the API server: Connection refused (os error 111)");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_shown() {
    let body = format!(r#"{{"kind": "Secret", "data": {{"key": "{CANARY}"}}}}"#);
    let server = Server::answering(StatusCode::OK, ("x-lab", "1"), &body).await;
    let secrets: Api<Secret> = Api::default_namespaced(clients(&server).await.call);
    let error = secrets.get("pull").await.unwrap_err();
    let message = explain(&error);
    assert!(
        message.starts_with("its answer cannot be read (line 1, column "),
        "{message}"
    );
    assert!(!message.contains(CANARY), "{message}");
}

#[tokio::test]
async fn what_the_api_server_says_is_passed_on() {
    let refusal = r#"{"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "secrets \"pull\" is forbidden"}"#;
    let cases = [(refusal, "secrets \"pull\" is forbidden"), ("", "")];
    for (body, expected) in cases {
        let server = Server::answering(StatusCode::FORBIDDEN, ("x-lab", "1"), body).await;
        let error = clients(&server)
            .await
            .call
            .apiserver_version()
            .await
            .unwrap_err();
        let message = explain(&error);
        assert!(message.starts_with(expected), "{message}");
        assert!(!message.is_empty());
    }
}
