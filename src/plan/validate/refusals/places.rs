// SPDX-License-Identifier: Apache-2.0

//! Sources and destinations that are refused.

use super::Change;

pub(super) const CHANGES: [Change; 36] = [
    (
        "a URL for a registry",
        "docker.io",
        "https://docker.io",
        "spec.source.registry: registry \"https://docker.io\" starts with \"https://\": write the host without it",
    ),
    (
        "a path in a registry",
        "docker.io",
        "docker.io/library",
        "spec.source.registry: registry \"docker.io/library\" contains a path: name only the host and port, the rest belongs to the repository",
    ),
    (
        "a port that is none",
        "docker.io",
        "r.example.com:99999",
        "spec.source.registry: registry \"r.example.com:99999\" has the port \"99999\": expected a number from 1 to 65535",
    ),
    (
        "a host that is none",
        "docker.io",
        "my_registry",
        "spec.source.registry: registry \"my_registry\" is not a host name, an IPv4 address or an IPv6 address in brackets",
    ),
    (
        "an empty registry",
        "docker.io",
        "\"\"",
        "spec.source.registry: the registry is empty",
    ),
    (
        "a URL for a destination",
        "r.example.com",
        "http://r.example.com/",
        "spec.destinations[0].registry: registry \"http://r.example.com/\" starts with \"http://\": write the host without it",
    ),
    (
        "no destinations",
        "  destinations:\n    - {name: eu, registry: r.example.com, repository: \"mirror/{repository}\"}",
        "  destinations: []",
        "spec.destinations: is empty, 1 to 8 items are needed",
    ),
    (
        "a template with a registry",
        "mirror/{repository}",
        "host:5000/{repository}",
        "spec.destinations[0].repository: repository \"host:5000/{repository}\" contains the registry \"host:5000\": write \"{repository}\", the registry belongs in its own field",
    ),
    (
        "plain HTTP at the port of HTTPS",
        "registry: r.example.com,",
        "registry: \"r.example.com:443\", insecure: true,",
        "spec.destinations[0].insecure: \"r.example.com:443\" names the port of HTTPS, and insecure means plain HTTP: leave out one of the two",
    ),
    (
        "a destination name",
        "name: eu",
        "name: EU",
        "spec.destinations[0].name: name \"EU\" must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most 63 characters",
    ),
    (
        "a misspelt placeholder",
        "{repository}",
        "{repositry}",
        "spec.destinations[0].repository: template \"mirror/{repositry}\" has the unknown placeholder {repositry}, did you mean \"repository\"?",
    ),
    (
        "a placeholder of tags in a repository",
        "{repository}",
        "{digest12}",
        "spec.destinations[0].repository: template \"mirror/{digest12}\" has the unknown placeholder {digest12}: expected repository, registry, namespace or name",
    ),
    (
        "a brace that is not closed",
        "mirror/{repository}",
        "mirror/{repository",
        "spec.destinations[0].repository: template \"mirror/{repository\" has a brace without its counterpart",
    ),
    (
        "a brace that is not opened",
        "mirror/{repository}",
        "mirror/repository}",
        "spec.destinations[0].repository: template \"mirror/repository}\" has a brace without its counterpart",
    ),
    (
        "a template in upper case",
        "mirror/{repository}",
        "Mirror/{repository}",
        "spec.destinations[0].repository: template \"Mirror/{repository}\" gives \"Mirror/a/b\": repository \"Mirror/a/b\" contains 'M': repository names are lower case, write \"mirror/a/b\"",
    ),
    (
        "a template with a double slash",
        "mirror/{repository}",
        "mirror//{repository}",
        "spec.destinations[0].repository: template \"mirror//{repository}\" gives \"mirror//a/b\": repository \"mirror//a/b\" has the component \"\": a component is lower-case letters and digits, separated by '.', '_', '__' or dashes",
    ),
    (
        "an empty template",
        "mirror/{repository}",
        "",
        "spec.destinations[0].repository: the template is empty",
    ),
    (
        "a template of a tag that is none",
        "registry: r.example.com",
        "registry: r.example.com, tags: ['{tag}:x']",
        "spec.destinations[0].tags[0]: template \"{tag}:x\" gives \"1:x\": tag \"1:x\" contains ':' at position 2: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'",
    ),
    (
        "no tag template",
        "registry: r.example.com",
        "registry: r.example.com, tags: []",
        "spec.destinations[0].tags: is empty, 1 to 4 items are needed",
    ),
    (
        "a tag template twice",
        "registry: r.example.com",
        "registry: r.example.com, tags: ['{tag}', '{tag}']",
        "spec.destinations[0].tags[1]: \"{tag}\" is already in spec.destinations[0].tags[0]",
    ),
    (
        "the digest in a previous tag",
        "registry: r.example.com",
        "registry: r.example.com, previousTag: '{tag}-{digest12}'",
        "spec.destinations[0].previousTag: template \"{tag}-{digest12}\" has the unknown placeholder {digest12}: expected tag",
    ),
    (
        "two destinations of one name",
        "  destinations:",
        "  destinations:\n    - {name: eu, registry: us.example.com}",
        "spec.destinations[1].name: \"eu\" is already in spec.destinations[0].name",
    ),
    (
        "two destinations that write the same",
        "  destinations:",
        "  destinations:\n    - {name: us, registry: r.example.com, repository: \"mirror/{repository}\"}",
        "spec.destinations[1]: writes the same tags as destination \"us\"",
    ),
    (
        "a previous tag that is the tag",
        "registry: r.example.com",
        "registry: r.example.com, previousTag: '{tag}'",
        "spec.destinations[0].previousTag: template \"{tag}\" gives the tag itself: write something like {tag}-previous",
    ),
    (
        "an identity for a registry of nobody's",
        "registry: docker.io",
        "registry: docker.io, provider: AWS",
        "spec.source.provider: is AWS, and docker.io is no registry of it, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com or public.ecr.aws: use provider: Generic with a secretRef",
    ),
    (
        "an identity for a registry of another cloud",
        "registry: docker.io",
        "registry: public.ecr.aws, provider: GCP",
        "spec.source.provider: is GCP, and public.ecr.aws is no registry of it, such as europe-west3-docker.pkg.dev or gcr.io: use provider: Generic with a secretRef",
    ),
    (
        "an identity for what looks like a registry of the cloud",
        "registry: r.example.com,",
        "registry: team.azurecr.io.example.com, provider: Azure,",
        "spec.destinations[0].provider: is Azure, and team.azurecr.io.example.com is no registry of it, such as example.azurecr.io: use provider: Generic with a secretRef",
    ),
    (
        "an identity for a port of a cloud's registry",
        "registry: docker.io",
        "registry: \"gcr.io:5000\", provider: GCP",
        "spec.source.provider: is GCP, and gcr.io:5000 is no registry of it, such as europe-west3-docker.pkg.dev or gcr.io: use provider: Generic with a secretRef",
    ),
    (
        "an identity and a secret",
        "registry: docker.io",
        "registry: gcr.io, provider: GCP, secretRef: {name: a}",
        "spec.source.secretRef: is only used with provider: Generic: remove one of them",
    ),
    (
        "an identity in plain HTTP",
        "registry: r.example.com,",
        "registry: team.azurecr.io, provider: Azure, insecure: true,",
        "spec.destinations[0].insecure: is only used with provider: Generic: an identity is not sent in plain HTTP",
    ),
    (
        "a service account without a cloud",
        "registry: docker.io",
        "registry: docker.io, serviceAccountName: mirror",
        "spec.source.serviceAccountName: is only used with a provider: write provider: AWS, GCP or Azure",
    ),
    (
        "a repository that is to be made at another registry",
        "registry: r.example.com,",
        "registry: r.example.com, createRepository: {},",
        "spec.destinations[0].createRepository: is only used with provider: AWS: other registries make repositories by themselves, or somebody has to",
    ),
    (
        "a repository that is to be made at the public ECR",
        "registry: r.example.com,",
        "registry: public.ecr.aws, provider: AWS, createRepository: {},",
        "spec.destinations[0].createRepository: is for private registries of Amazon ECR: create repositories of the public one yourself",
    ),
    (
        "a key where S3 has the keys",
        "registry: r.example.com,",
        "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com, provider: AWS, createRepository: {encryption: {kmsKey: a}},",
        "spec.destinations[0].createRepository.encryption.kmsKey: is only used with type: KMS or KMS_DSSE",
    ),
    (
        "tags of a repository without a key",
        "registry: r.example.com,",
        "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com, provider: AWS, createRepository: {tags: {\"\": a}},",
        "spec.destinations[0].createRepository.tags: the tag \"\" is too long or empty: keys have 1 to 128 characters, values at most 256",
    ),
    (
        "a lifecycle policy that is none",
        "registry: r.example.com,",
        "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com, provider: AWS, createRepository: {lifecyclePolicy: '[]'},",
        "spec.destinations[0].createRepository.lifecyclePolicy: is not a JSON object of at most 30720 bytes, such as {\"rules\": [...]}",
    ),
];
