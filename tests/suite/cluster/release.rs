// SPDX-License-Identifier: Apache-2.0

//! The chart, installed on an API server of its own, and the program as the chart's pods would run it.

use std::path::Path;

use serde_json::Value;

use crate::support::cluster::{ControlPlane, Controller};

/// The namespace of the release.
pub(super) const NAMESPACE: &str = "transship-system";

/// The account of the pods, as the API server knows it.
pub(super) const USER: &str = "system:serviceaccount:transship-system:transship";

/// Opens the loopback addresses, where the registries of tests are, and lets workloads be seen.
const VALUES: &str = "--set=boundaries.allowAddresses={127.0.0.0/8},boundaries.insecureHosts={127.0.0.1},\
                      inUse.enabled=true,events.enabled=true,page.enabled=true,page.service.enabled=true";

/// The addresses that the chart's pods listen on, and those that are free here.
const LISTEN: [[&str; 2]; 3] = [
    ["--listen-address=[::]:8080", "--listen-address=127.0.0.1:0"],
    ["--events-address=[::]:8081", "--events-address=127.0.0.1:0"],
    ["--page-address=[::]:8082", "--page-address=127.0.0.1:0"],
];

/// An installed release. There are no nodes: this process runs what its pods would.
pub(super) struct Release {
    pub(super) plane: ControlPlane,
    pub(super) controller: Controller,
}

impl Release {
    /// Installs the chart and runs the program with the arguments and the account of its pods.
    pub(super) async fn install() -> Self {
        Self::install_with(&[]).await
    }

    /// The same with these variables in the environment of its pods.
    pub(super) async fn install_with(environment: &[(&str, &str)]) -> Self {
        let plane = ControlPlane::start_bare().await;
        let chart = chart();
        let namespace = format!("--namespace={NAMESPACE}");
        let install = [
            "install",
            "transship",
            &chart,
            "--create-namespace",
            VALUES,
            &namespace,
        ];
        plane.helm(&install).await.assert_success();

        let deployment = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/transship");
        let deployment = plane.read(&deployment).await.expect("a deployment");
        let pod = &deployment["spec"]["template"]["spec"];
        let account = pod["serviceAccountName"].as_str().expect("an account");
        let token = plane.token_for(NAMESPACE, account).await;
        let mut options = Controller::with_defaults(&plane.kubeconfig_for(&token));
        for argument in arguments(&pod["containers"][0]) {
            options = options.argument(&argument);
        }
        for (name, value) in environment {
            options = options.environment(name, value);
        }
        let controller = options.start().await;
        Self { plane, controller }
    }

    /// Changes values of the release; the program goes on as it is.
    pub(super) async fn upgrade(&self, values: &str) {
        let (chart, namespace) = (chart(), format!("--namespace={NAMESPACE}"));
        let upgrade = [
            "upgrade",
            "transship",
            &chart,
            "--reuse-values",
            values,
            &namespace,
        ];
        self.plane.helm(&upgrade).await.assert_success();
    }
}

/// Where the chart is.
pub(super) fn chart() -> String {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/transship");
    chart.to_str().expect("a UTF-8 path").to_owned()
}

/// The arguments of a container after the name of the command.
fn arguments(container: &Value) -> impl Iterator<Item = String> {
    let arguments = container["args"].as_array().expect("arguments");
    let arguments = arguments
        .iter()
        .map(|argument| argument.as_str().expect("a string"));
    arguments.skip(1).map(|argument| {
        let here = LISTEN.iter().find(|[there, _]| *there == argument);
        here.map_or(argument, |[_, here]| here).to_owned()
    })
}
