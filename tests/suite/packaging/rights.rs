// SPDX-License-Identifier: Apache-2.0

//! What the controller and people may do, by the chart's roles.

use std::collections::BTreeSet;

use serde_json::Value;

use super::helm::{NAMESPACE, Rendered, SETS, items, render, text};

/// A line for each rule: verbs, resources and names.
fn rules(role: &Value) -> String {
    let words = |value: &Value| items(value).map(text).collect::<Vec<_>>().join(",");
    let lines = items(&role["rules"]).map(|rule| {
        let groups = words(&rule["apiGroups"]);
        let names = words(&rule["resourceNames"]);
        let line = format!(
            "{} {groups}/{} {names}",
            words(&rule["verbs"]),
            words(&rule["resources"])
        );
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line for each binding: where, and which role.
fn bindings(rendered: &Rendered) -> String {
    let kinds = ["ClusterRoleBinding", "RoleBinding"];
    let bindings = kinds.iter().flat_map(|kind| rendered.of_kind(kind));
    let mut lines: Vec<String> = bindings
        .map(|binding| {
            let place = binding["metadata"]["namespace"]
                .as_str()
                .unwrap_or("everywhere");
            let role = &binding["roleRef"];
            format!("{place}: {} {}", text(&role["kind"]), text(&role["name"]))
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

fn role<'a>(rendered: &'a Rendered, kind: &str, name: &str) -> &'a Value {
    rendered
        .of_kind(kind)
        .find(|role| role["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn is_role(object: &Value) -> bool {
    ["Role", "ClusterRole"].contains(&text(&object["kind"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_may_do_this_and_nothing_else() {
    let rendered = render("").await;
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-controller")), @"
    list,watch transship.dev/imagemirrors,imagenotifications,imagepolicies,imagereceivers,mirroredrepositories
    patch transship.dev/imagemirrors/status,imagenotifications/status,imagepolicies/status,imagereceivers/status,mirroredrepositories/status
    create,patch transship.dev/mirroredrepositories
    create,patch events.k8s.io/events
    ");
    insta::assert_snapshot!(rules(role(&rendered, "Role", "transship-lease")), @"
    get,update coordination.k8s.io/leases transship
    create coordination.k8s.io/leases
    ");
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-secret-reader")), @"get /secrets");
    insta::assert_snapshot!(bindings(&rendered), @"
    everywhere: ClusterRole transship-controller
    transship-system: ClusterRole transship-secret-reader
    transship-system: Role transship-lease
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_share_the_work_may_write_each_others_leases() {
    let rendered = render("shards: 16").await;
    insta::assert_snapshot!(rules(role(&rendered, "Role", "transship-lease")), @"
    get,update coordination.k8s.io/leases transship
    create coordination.k8s.io/leases
    get,list,update,delete coordination.k8s.io/leases
    ");
    let one = render("shards: 1").await;
    insta::assert_snapshot!(rules(role(&one, "Role", "transship-lease")), @"
    get,update coordination.k8s.io/leases transship
    create coordination.k8s.io/leases
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_at_the_page_is_asked_where_it_has_a_service() {
    let rendered = render("{page: {enabled: true, service: {enabled: true}}}").await;
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-page")), @"
    create authentication.k8s.io/tokenreviews
    create authorization.k8s.io/subjectaccessreviews
    ");
    assert!(bindings(&rendered).contains("everywhere: ClusterRole transship-page"));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_watched_namespaces_it_may_do_the_same_there_only() {
    let everywhere = render("").await;
    let rendered = render("{watchNamespaces: [a, b], secretNamespaces: [b, c]}").await;
    insta::assert_snapshot!(bindings(&rendered), @"
    a: Role transship-controller
    b: ClusterRole transship-secret-reader
    b: Role transship-controller
    c: ClusterRole transship-secret-reader
    transship-system: Role transship-lease
    ");
    let roles: Vec<&Value> = rendered
        .of_kind("Role")
        .filter(|role| role["metadata"]["name"] == "transship-controller")
        .collect();
    assert_eq!(roles.len(), 2);
    for role_of_namespace in roles {
        let expected = role(&everywhere, "ClusterRole", "transship-controller");
        assert_eq!(role_of_namespace["rules"], expected["rules"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_may_be_the_service_accounts_that_are_named_and_no_others() {
    let rendered = render(
        "{identity: {namespaces: [a, b], serviceAccounts: [{namespace: a, name: mirror}, {namespace: b, name: push}]}}",
    )
    .await;
    insta::assert_snapshot!(rules(role(&rendered, "Role", "transship-identity-mirror")), @"
    get /serviceaccounts mirror
    create /serviceaccounts/token mirror
    ");
    insta::assert_snapshot!(bindings(&rendered), @"
    a: Role transship-identity-mirror
    b: Role transship-identity-push
    everywhere: ClusterRole transship-controller
    transship-system: ClusterRole transship-secret-reader
    transship-system: Role transship-lease
    ");
    let arguments = &rendered.pod()["spec"]["containers"][0]["args"];
    assert!(items(arguments).any(|argument| argument == "--identity-namespaces=a,b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_made_in_the_namespaces_that_are_named_and_nowhere_else() {
    // Namespaces alone allow nothing.
    let without = render("").await;
    let named = render("{jobs: {namespaces: [a]}}").await;
    assert_eq!(named.yaml, without.yaml);
    let rendered = render("{jobs: {enabled: true, namespaces: [a, b]}}").await;
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-job-runner")), @"
    get,list,watch,create,delete batch/jobs
    list /pods,events
    ");
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-job")), @"
    get transship.dev/imagemirrors,imagepolicies
    list,patch transship.dev/mirroredrepositories
    ");
    insta::assert_snapshot!(bindings(&rendered), @"
    a: ClusterRole transship-job-runner
    b: ClusterRole transship-job-runner
    everywhere: ClusterRole transship-controller
    transship-system: ClusterRole transship-secret-reader
    transship-system: Role transship-lease
    ");
    let expected = role(&without, "ClusterRole", "transship-controller");
    let controller = role(&rendered, "ClusterRole", "transship-controller");
    assert_eq!(controller["rules"], expected["rules"]);
    let container = &rendered.pod()["spec"]["containers"][0];
    let image = format!("--job-image={}", text(&container["image"]));
    assert!(items(&container["args"]).any(|argument| argument == image.as_str()));
    // Nobody reaches the pods, which reach what the controller does.
    let policies: Vec<&Value> = rendered.of_kind("NetworkPolicy").collect();
    let [own, first, second] = policies.as_slice() else {
        panic!("three policies");
    };
    for (policy, namespace) in [(first, "a"), (second, "b")] {
        assert_eq!(policy["metadata"]["namespace"], namespace);
        assert_eq!(policy["spec"]["egress"], own["spec"]["egress"]);
        assert_eq!(policy["spec"]["ingress"], Value::Array(Vec::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_are_listed_everywhere_where_the_operator_allows_it_and_nowhere_else() {
    for (values, flag, expected) in [
        ("", false, ""),
        (
            "{inUse: {enabled: true}}",
            true,
            "everywhere: ClusterRole transship-in-use",
        ),
        // An image may be used in a namespace that is not watched.
        (
            "{inUse: {enabled: true}, watchNamespaces: [a]}",
            true,
            "everywhere: ClusterRole transship-in-use",
        ),
        ("{inUse: {enabled: true}, rbac: {create: false}}", true, ""),
    ] {
        let rendered = render(values).await;
        let arguments = &rendered.pod()["spec"]["containers"][0]["args"];
        let is_told = items(arguments).any(|argument| argument == "--in-use");
        assert_eq!(is_told, flag, "{values}");
        let bindings = bindings(&rendered);
        let mut lines = bindings.lines();
        let bound = lines.find(|line| line.ends_with("-in-use"));
        assert_eq!(bound.unwrap_or_default(), expected, "{values}");
    }
    let rendered = render("{inUse: {enabled: true}}").await;
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-in-use")), @"
    list /pods,podtemplates,replicationcontrollers
    list apps/controllerrevisions,daemonsets,deployments,replicasets,statefulsets
    list batch/cronjobs,jobs
    ");
    let extra = "{inUse: {enabled: true, extra: [{group: '', resource: configmaps}, {group: keda.sh, resource: scaledjobs}]}}";
    let rendered = render(extra).await;
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-in-use")), @"
    list /pods,podtemplates,replicationcontrollers
    list apps/controllerrevisions,daemonsets,deployments,replicasets,statefulsets
    list batch/cronjobs,jobs
    list /configmaps
    list keda.sh/scaledjobs
    ");
    let arguments = &rendered.pod()["spec"]["containers"][0]["args"];
    let told: Vec<&str> = items(arguments)
        .filter_map(Value::as_str)
        .filter_map(|argument| argument.strip_prefix("--in-use-extra="))
        .collect();
    assert_eq!(told, ["configmaps", "scaledjobs.keda.sh"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_the_resources_with_the_roles_they_have() {
    let rendered = render("").await;
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-view")), @"get,list,watch transship.dev/imagemirrors,imagenotifications,imagepolicies,imagereceivers,mirroredrepositories");
    insta::assert_snapshot!(rules(role(&rendered, "ClusterRole", "transship-edit")), @"create,update,patch,delete,deletecollection transship.dev/imagemirrors,imagenotifications,imagepolicies,imagereceivers");
    let aggregated = |name| {
        let labels = &role(&rendered, "ClusterRole", name)["metadata"]["labels"];
        let names = labels.as_object().unwrap().keys();
        let prefix = "rbac.authorization.k8s.io/aggregate-to-";
        names
            .filter_map(|name| name.strip_prefix(prefix))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(aggregated("transship-view"), "admin edit view");
    assert_eq!(aggregated("transship-edit"), "admin edit");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_role_says_everything_or_more_than_it_must() {
    for (name, values) in SETS {
        let rendered = render(values).await;
        for role in rendered.objects.iter().filter(|object| is_role(object)) {
            let rules = role["rules"].to_string();
            for word in ["*", "escalate", "bind", "impersonate"] {
                assert!(
                    !rules.contains(&format!("\"{word}\"")),
                    "{name}: {word} in {role}"
                );
            }
            let role_name = text(&role["metadata"]["name"]);
            // Of service accounts only those that are named, each in its namespace.
            let about_accounts = rules.contains("serviceaccounts");
            let is_identity = role_name.contains("-identity-") && role["kind"] == "Role";
            assert_eq!(about_accounts, is_identity, "{name}: {role}");
            if about_accounts {
                let mut rules = items(&role["rules"]);
                let are_named = rules.all(|rule| items(&rule["resourceNames"]).count() == 1);
                assert!(are_named, "{name}: {role}");
            }
            let about_pods = rules.contains("pods");
            let sees_pods = ["-in-use", "-job-runner"];
            let sees_pods = sees_pods.iter().any(|end| role_name.ends_with(end));
            assert_eq!(about_pods, sees_pods, "{name}: {role}");
            let about_secrets = rules.contains("secrets");
            assert_eq!(
                about_secrets,
                role_name.ends_with("-secret-reader"),
                "{name}: {role}"
            );
        }
        for binding in rendered.of_kind("ClusterRoleBinding") {
            let role = text(&binding["roleRef"]["name"]);
            assert!(
                !role.contains("secret"),
                "{name}: {role} is bound everywhere"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_binding_names_the_account_of_the_pods() {
    for (name, values) in SETS {
        let rendered = render(values).await;
        let account = &rendered.pod()["spec"]["serviceAccountName"];
        let kinds = ["ClusterRoleBinding", "RoleBinding"];
        let subjects: BTreeSet<String> = kinds
            .iter()
            .flat_map(|kind| rendered.of_kind(kind))
            .flat_map(|binding| items(&binding["subjects"]))
            .map(|subject| format!("{}/{}", text(&subject["namespace"]), text(&subject["name"])))
            .collect();
        let expected = format!("{NAMESPACE}/{}", text(account));
        let is_it = subjects.iter().all(|subject| *subject == expected);
        assert!(is_it, "{name}: {subjects:?}");
        assert_eq!(subjects.is_empty(), name == "minimal");
    }
}
