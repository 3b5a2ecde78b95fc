// SPDX-License-Identifier: Apache-2.0

//! What a node does with the pods of Jobs, without one: the program under test runs with their arguments and the tokens of
//! their ServiceAccounts, and how it ends becomes their status.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::process::{Daemon, Process};

/// How often new pods are looked for.
const POLL: Duration = Duration::from_millis(50);

/// Runs the pods of a namespace. They end with it.
pub(super) struct Pods {
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// The processes that run, by the numbers of their parts.
    running: HashMap<String, Process>,
    /// The parts whose pods the node ends, since it needs their memory.
    evicted: HashSet<String>,
    /// How many have been started.
    started: usize,
}

impl Pods {
    /// Runs those of a namespace from now on.
    pub(super) fn of(namespace: &Namespace<'static>) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let (plane, name) = (namespace.plane(), namespace.name().to_owned());
        let task = tokio::spawn(run_pods(plane, name, state.clone()));
        Self { state, task }
    }

    /// How many have been started.
    pub(super) fn started(&self) -> usize {
        self.state.lock().unwrap().started
    }

    /// Whether the pod of a part runs.
    pub(super) fn runs(&self, index: usize) -> bool {
        self.state
            .lock()
            .unwrap()
            .running
            .contains_key(&index.to_string())
    }

    /// Evicts the pod of a part.
    pub(super) fn evict(&self, index: usize) {
        let mut state = self.state.lock().unwrap();
        let index = index.to_string();
        let process = *state.running.get(&index).expect("a pod that runs");
        state.evicted.insert(index);
        process.signal("KILL");
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run_pods(plane: &'static ControlPlane, namespace: String, state: Arc<Mutex<State>>) {
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    let mut known = Vec::new();
    loop {
        let pods = plane.client().get(&path).await.body;
        for pod in pods["items"].as_array().into_iter().flatten() {
            let uid = pod["metadata"]["uid"].clone();
            if pod["status"]["phase"] == "Pending" && !known.contains(&uid) {
                known.push(uid);
                tokio::spawn(run_pod(plane, pod.clone(), state.clone()));
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn run_pod(plane: &'static ControlPlane, pod: Value, state: Arc<Mutex<State>>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = text(&pod["metadata"]["namespace"]);
    let path = format!(
        "/api/v1/namespaces/{namespace}/pods/{}/status",
        text(&pod["metadata"]["name"])
    );
    let container = &pod["spec"]["containers"][0];
    let account = text(&pod["spec"]["serviceAccountName"]);
    let token = plane.token_for(&namespace, &account).await;
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("termination-log");
    let mut arguments: Vec<String> = container["args"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    let kubeconfig = plane.kubeconfig_for(&token);
    arguments.push(format!("--kubeconfig={}", kubeconfig.display()));
    arguments.push(format!("--termination-log={}", log.display()));
    let variables = container["env"].as_array().into_iter().flatten();
    let environment: BTreeMap<String, String> = variables
        .map(|variable| (text(&variable["name"]), text(&value(&pod, variable))))
        .collect();
    let index = environment["TRANSSHIP_COPY_SHARE_INDEX"].clone();
    plane
        .client()
        .merge(&path, &json!({"status": {"phase": "Running", "containerStatuses": [status(&json!({"running": {}}), true)]}}))
        .await;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_transship"));
    let mut daemon = Daemon::spawn_in(program, &arguments, directory.path(), &environment);
    {
        let mut state = state.lock().unwrap();
        state.running.insert(index.clone(), daemon.process());
        state.started += 1;
    }
    // A pod that is deleted ends, too.
    let pod_path = path.trim_end_matches("/status").to_owned();
    let ended = loop {
        if !daemon.is_running() {
            break daemon.ended().await;
        }
        let is_there = plane.read(&pod_path).await;
        let is_deleted = is_there.is_none_or(|pod| !pod["metadata"]["deletionTimestamp"].is_null());
        if is_deleted {
            daemon.process().signal("TERM");
        }
        tokio::time::sleep(POLL).await;
    };
    let is_evicted = {
        let mut state = state.lock().unwrap();
        state.running.remove(&index);
        state.evicted.remove(&index)
    };
    let code = ended.code().unwrap_or(137);
    let message = std::fs::read_to_string(&log).unwrap_or_default();
    let reason = if code == 0 { "Completed" } else { "Error" };
    let end = json!({"terminated": {"exitCode": code, "reason": reason, "message": message}});
    let mut ended = json!({
        "phase": if code == 0 { "Succeeded" } else { "Failed" },
        "containerStatuses": [status(&end, false)],
    });
    if is_evicted {
        ended["reason"] = json!("Evicted");
        ended["message"] = json!("The node was low on resource: memory.");
        ended["conditions"] = json!([{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet"}]);
    }
    plane.client().merge(&path, &json!({"status": ended})).await;
}

fn status(state: &Value, is_ready: bool) -> Value {
    json!({
        "name": "copy", "image": "transship", "imageID": "", "ready": is_ready, "restartCount": 0, "state": state,
    })
}

/// The value of a variable, as the downward API gives it.
fn value(pod: &Value, variable: &Value) -> Value {
    let field = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str();
    let Some(field) = field else {
        return variable["value"].clone();
    };
    let metadata = &pod["metadata"];
    match field.split_once('[') {
        None => metadata[field.trim_start_matches("metadata.")].clone(),
        Some((map, key)) => {
            let key = key.trim_matches(['\'', ']']);
            metadata[map.trim_start_matches("metadata.")][key].clone()
        }
    }
}
