// SPDX-License-Identifier: Apache-2.0

//! What the chart renders.

use super::helm::{EVERYTHING, MINIMAL, SETS, documents, helm, read, render};

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
    CustomResourceDefinition imagenotifications.transship.dev
    CustomResourceDefinition imagepolicies.transship.dev
    CustomResourceDefinition imagereceivers.transship.dev
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
    ClusterRole images-in-use
    ClusterRole images-job
    ClusterRole images-job-runner
    ClusterRole images-page
    ClusterRole images-secret-reader
    ClusterRole images-view
    ClusterRoleBinding images-in-use
    ClusterRoleBinding images-page
    ConfigMap transship-system/images-dashboard
    CustomResourceDefinition imagemirrors.transship.dev
    CustomResourceDefinition imagenotifications.transship.dev
    CustomResourceDefinition imagepolicies.transship.dev
    CustomResourceDefinition imagereceivers.transship.dev
    CustomResourceDefinition mirroredrepositories.transship.dev
    Deployment transship-system/images
    NetworkPolicy transship-system/images
    NetworkPolicy web/images-jobs
    PodDisruptionBudget transship-system/images
    PrometheusRule transship-system/images
    Role platform/images-controller
    Role platform/images-identity-mirror
    Role transship-system/images-lease
    Role web/images-controller
    Role web/images-identity-mirror
    RoleBinding platform/images-controller
    RoleBinding platform/images-identity-mirror
    RoleBinding platform/images-secret-reader
    RoleBinding transship-system/images-lease
    RoleBinding web/images-controller
    RoleBinding web/images-identity-mirror
    RoleBinding web/images-job-runner
    RoleBinding web/images-secret-reader
    Service transship-system/images
    Service transship-system/images-events
    Service transship-system/images-page
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
