//! What the chart renders.

use std::fs;

use serde_json::{Value, json};

use super::helm::{NAMESPACE, SETS, documents, helm, items, project, read, render, text};
use crate::support::program::Program;

const MINIMAL: &str = SETS[1].1;
const EVERYTHING: &str = SETS[2].1;

#[tokio::test(flavor = "multi_thread")]
async fn helm_finds_nothing_wrong() {
    for (_, values) in SETS {
        helm(&["lint", "--strict", "--quiet"], values)
            .await
            .assert_success();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_values_it_serves_all_namespaces() {
    insta::assert_snapshot!(render("").await.summary(), @"
    ClusterRole transship-controller
    ClusterRole transship-edit
    ClusterRole transship-secret-reader
    ClusterRole transship-view
    ClusterRoleBinding transship-controller
    CustomResourceDefinition imagemirrors.transship.dev
    CustomResourceDefinition imagepolicies.transship.dev
    CustomResourceDefinition mirroredrepositories.transship.dev
    Deployment transship-system/transship
    NetworkPolicy transship-system/transship
    PodDisruptionBudget transship-system/transship
    Role transship-system/transship-lease
    RoleBinding transship-system/transship-lease
    RoleBinding transship-system/transship-secret-reader
    Service transship-system/transship
    ServiceAccount transship-system/transship
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_but_the_controller_can_be_left_to_others() {
    insta::assert_snapshot!(render(MINIMAL).await.summary(), @"Deployment transship-system/transship");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_has_an_effect() {
    insta::assert_snapshot!(render(EVERYTHING).await.summary(), @"
    ClusterRole images-edit
    ClusterRole images-secret-reader
    ClusterRole images-view
    ConfigMap transship-system/images-dashboard
    CustomResourceDefinition imagemirrors.transship.dev
    CustomResourceDefinition imagepolicies.transship.dev
    CustomResourceDefinition mirroredrepositories.transship.dev
    Deployment transship-system/images
    NetworkPolicy transship-system/images
    PodDisruptionBudget transship-system/images
    PrometheusRule transship-system/images
    Role platform/images-controller
    Role transship-system/images-lease
    Role web/images-controller
    RoleBinding platform/images-controller
    RoleBinding platform/images-secret-reader
    RoleBinding transship-system/images-lease
    RoleBinding web/images-controller
    RoleBinding web/images-secret-reader
    Service transship-system/images
    ServiceAccount transship-system/mirrors
    ServiceMonitor transship-system/images
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_the_programs() {
    let chart = &documents(&read("charts/transship/Chart.yaml"))[0];
    for field in ["version", "appVersion"] {
        assert_eq!(chart[field], env!("CARGO_PKG_VERSION"), "{field}");
    }
    let rendered = render("").await;
    let image = &rendered.pod()["spec"]["containers"][0]["image"];
    let expected = concat!("transship:", env!("CARGO_PKG_VERSION"));
    assert_eq!(image, expected);
}

// === pods ===

#[tokio::test(flavor = "multi_thread")]
async fn pods_can_do_nothing_but_their_work() {
    for (name, values) in SETS {
        let rendered = render(values).await;
        let pod = &rendered.pod()["spec"];
        assert_eq!(
            pod["securityContext"],
            json!({
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            }),
            "{name}"
        );
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(pod["enableServiceLinks"], false, "{name}");
        for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert_eq!(pod[field], Value::Null, "{name}: {field}");
        }
        let [container] = pod["containers"].as_array().unwrap().as_slice() else {
            panic!("{name}: one container");
        };
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            }),
            "{name}"
        );
        for mount in items(&container["volumeMounts"]) {
            assert_eq!(mount["readOnly"], true, "{name}: {mount}");
        }
        for volume in items(&pod["volumes"]) {
            assert!(volume["projected"].is_object(), "{name}: {volume}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_pod_is_good_for_an_hour() {
    let rendered = render("").await;
    assert_eq!(
        rendered.the("ServiceAccount")["automountServiceAccountToken"],
        false
    );
    let token = &rendered.pod()["spec"]["volumes"][0]["projected"]["sources"][0];
    assert_eq!(
        token["serviceAccountToken"],
        json!({"path": "token", "expirationSeconds": 3600})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirrors_may_reach_becomes_flags() {
    let arguments = |rendered: &Value| -> Vec<String> {
        let flags =
            items(&rendered["spec"]["containers"][0]["args"]).map(|flag| text(flag).to_owned());
        flags.collect()
    };
    insta::assert_snapshot!(arguments(render("").await.pod()).join("\n"), @"
    controller
    --listen-address=0.0.0.0:8080
    --lease-name=transship
    --lease-namespace=transship-system
    --concurrent-rounds=32
    --rounds-per-namespace=8
    --log-level=info
    --log-format=json
    ");
    insta::assert_snapshot!(arguments(render(EVERYTHING).await.pod()).join("\n"), @"
    controller
    --listen-address=0.0.0.0:8080
    --lease-name=images
    --lease-namespace=transship-system
    --concurrent-rounds=8
    --rounds-per-namespace=2
    --log-level=debug
    --log-format=human
    --allow-addresses=169.254.20.10/32,fd00::/8
    --allowed-hosts=*.example.com,docker.io
    --insecure-hosts=registry.lan:5000
    --trusted-realms=tokens.example.net
    --watch-namespaces=platform,web
    --ca-file=/etc/transship/ca/bundle.pem
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_every_argument_and_variable() {
    for (name, values) in SETS {
        let rendered = render(values).await;
        let container = &rendered.pod()["spec"]["containers"][0];
        let arguments: Vec<&str> = items(&container["args"]).map(text).collect();
        // Arguments are read up to the last one, which asks for nothing but a text.
        let finished = Program::transship(&arguments)
            .argument("--help")
            .run()
            .await;
        finished.assert_success();
        for variable in items(&container["env"]) {
            let variable = text(&variable["name"]);
            let is_ours = variable.starts_with("TRANSSHIP_");
            let is_known = finished.stdout.contains(&format!("{variable}="));
            assert!(!is_ours || is_known, "{name}: {variable}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_are_those_that_everything_selects() {
    let rendered = render(EVERYTHING).await;
    let labels = &rendered.pod()["metadata"]["labels"];
    let selectors = [
        &rendered.the("Deployment")["spec"]["selector"]["matchLabels"],
        &rendered.the("Service")["spec"]["selector"],
        &rendered.the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &rendered.the("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        &rendered.pod()["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ];
    for selector in selectors {
        let selector = selector.as_object().unwrap();
        assert_eq!(selector.len(), 2, "{selector:?}");
        assert!(selector.iter().all(|(name, value)| labels[name] == *value));
    }
    let monitored = &rendered.the("ServiceMonitor")["spec"]["selector"]["matchLabels"];
    let service = &rendered.the("Service")["metadata"]["labels"];
    let mut monitored = monitored.as_object().unwrap().iter();
    assert!(monitored.all(|(name, value)| service[name] == *value));
}

// === definitions ===

#[test]
fn the_definitions_of_the_chart_are_those_of_the_project() {
    let names = |directory: &str| {
        let entries = fs::read_dir(project(directory)).unwrap_or_else(|_| panic!("{directory}"));
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let in_chart = names("charts/transship/files/crds");
    assert_eq!(in_chart, names("crds"), "run make deploy");
    for name in in_chart {
        let of_chart = read(&format!("charts/transship/files/crds/{name}"));
        let of_project = read(&format!("crds/{name}"));
        assert!(
            of_chart == of_project,
            "{name} has changed: run make deploy"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_are_installed_as_they_are_and_outlive_the_release() {
    for (values, annotation) in [("", json!("keep")), ("crds: {keep: false}", Value::Null)] {
        let rendered = render(values).await;
        assert_eq!(rendered.of_kind("CustomResourceDefinition").count(), 3);
        for definition in rendered.of_kind("CustomResourceDefinition") {
            let metadata = &definition["metadata"];
            let plural = text(&definition["spec"]["names"]["plural"]);
            let file = read(&format!("charts/transship/files/crds/{plural}.yaml"));
            let original = &documents(&file)[0];
            assert_eq!(definition["spec"], original["spec"], "{plural}");
            assert_eq!(metadata["name"], original["metadata"]["name"]);
            assert_eq!(
                metadata["annotations"]["helm.sh/resource-policy"],
                annotation
            );
        }
    }
}

// === kubectl ===

#[tokio::test(flavor = "multi_thread")]
async fn the_base_for_kubectl_is_the_rendered_chart() {
    let directory = tempfile::tempdir().unwrap();
    let mut script = Program::at(&project("hack/deploy.sh"), &[]).argument(directory.path());
    for name in ["HOME", "TRANSSHIP_TOOLS", "XDG_CACHE_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            script = script.environment(name, value);
        }
    }
    script.run().await.assert_success();
    for name in ["crds.yaml", "controller.yaml"] {
        let rendered = fs::read_to_string(directory.path().join(name)).unwrap();
        let committed = read(&format!("deploy/{name}"));
        assert!(rendered == committed, "{name} has changed: run make deploy");
        for object in documents(&committed) {
            let namespace = object["metadata"]["namespace"].as_str();
            assert!(namespace.is_none_or(|namespace| namespace == NAMESPACE));
            assert!(!object.to_string().contains("helm.sh"), "{object}");
        }
    }
}
