// SPDX-License-Identifier: Apache-2.0

//! `transship images --from-cluster`, by a real API server.

use std::path::Path;

use serde_json::Value;

use crate::support::cluster::ControlPlane;
use crate::support::program::{Finished, Program};

/// Their repositories have two words: other tests ask what is in use, and there `init:1` is everybody's.
const WORKLOADS: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: i, image: 'images.test/seen/init:1'}]
      containers: [{name: a, image: 'images.test/seen/web@sha256:1111111111111111111111111111111111111111111111111111111111111111'}, {name: b, image: 'Not:An:Image'}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: job}
spec:
  schedule: '0 0 1 1 *'
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'images.test/seen/job:2'}]}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: text}
data: {image: 'images.test/seen/no:1'}
";

async fn images(kubeconfig: &Path) -> Finished {
    let program = Program::transship(&["images", "--from-cluster", "-o", "json", "--kubeconfig"]);
    program.argument(kubeconfig).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cluster_runs() {
    let namespace = ControlPlane::shared().await.namespace("images").await;
    namespace.apply(WORKLOADS).await;
    let plane = namespace.plane();
    let finished = images(plane.kubeconfig()).await;
    finished.assert_success();
    let list: Value = serde_json::from_str(&finished.stdout).unwrap();
    let rows = list["images"].as_array().unwrap().iter();
    let mut found: Vec<String> = rows
        .filter(|row| row["registry"] == "images.test")
        .map(|row| format!("{} {}", row["image"].as_str().unwrap(), row["namedBy"]))
        .collect();
    for line in &mut found {
        *line = line.replace(namespace.name(), "NAMESPACE");
    }
    // Other tests have objects beside these.
    let left_out = list["leftOut"].as_array().unwrap().iter();
    let ours = format!("Deployment {}/web", namespace.name());
    let left_out = left_out.filter(|left_out| left_out["object"] == ours.as_str());
    found.extend(left_out.map(|left_out| format!("{} {}", left_out["field"], left_out["message"])));
    insta::assert_snapshot!(found.join("\n"));

    let token = plane.token_for(namespace.name(), "default").await;
    let refused = images(&plane.kubeconfig_for(&token)).await;
    assert_eq!(refused.code, Some(1));
    let (told, document) = (refused.stderr, refused.stdout);
    assert!(
        told.contains("may not list the cronjobs of all namespaces"),
        "{told}"
    );
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["kind"], "ImageList");
    assert_eq!(document["failures"][0]["reason"], "AccessDenied");
    namespace.delete().await;
}
