//! References by Docker's rules. Expected values are what `docker` makes of the same words.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use images::Reference;
use proptest::prelude::*;

const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn parse(text: &str) -> Reference {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn what_is_left_out_is_filled_in() {
    let with_digest = format!("ubuntu@{DIGEST}");
    let both = format!("ubuntu:22.04@{DIGEST}");
    let canonical_digest = format!("docker.io/library/ubuntu@{DIGEST}");
    let canonical_both = format!("docker.io/library/ubuntu:22.04@{DIGEST}");
    for (text, canonical, familiar) in [
        ("ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("ubuntu:22.04", "docker.io/library/ubuntu:22.04", "ubuntu:22.04"),
        ("library/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("index.docker.io/ubuntu", "docker.io/library/ubuntu:latest", "ubuntu:latest"),
        ("team/app", "docker.io/team/app:latest", "team/app:latest"),
        ("team/sub/app:1", "docker.io/team/sub/app:1", "team/sub/app:1"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"),
        ("127.0.0.1:5000/team/app", "127.0.0.1:5000/team/app:latest", "127.0.0.1:5000/team/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("ghcr.io/team/app:v1.2", "ghcr.io/team/app:v1.2", "ghcr.io/team/app:v1.2"),
        ("Host/app", "Host/app:latest", "Host/app:latest"),
        ("a__b/c-d--e.f_g", "docker.io/a__b/c-d--e.f_g:latest", "a__b/c-d--e.f_g:latest"),
        ("x:A_b-c.9", "docker.io/library/x:A_b-c.9", "x:A_b-c.9"),
        // A digest says it all: no tag is made up.
        (&with_digest, &canonical_digest, &with_digest),
        (&both, &canonical_both, &both),
    ] {
        let reference = parse(text);
        assert_eq!(reference.canonical(), canonical, "{text}");
        assert_eq!(reference.familiar(), familiar, "{text}");
    }
}

#[test]
fn what_docker_refuses_is_refused_with_the_rule() {
    let long_tag = format!("x:{}", "t".repeat(129));
    let long_name = "n".repeat(256);
    let id = "a".repeat(64);
    let short_digest = format!("x@{}", &DIGEST[..70]);
    for (text, rule) in [
        ("", "no repository"),
        ("Ubuntu", "lowercase"),
        ("team/App", "lowercase"),
        ("ubuntu:", "tag"),
        ("ubuntu:-x", "tag"),
        ("ubuntu:a b", "tag"),
        (&long_tag, "tag"),
        ("/x", "a-z"),
        ("x/", "a-z"),
        ("a//b", "a-z"),
        ("x___y", "a-z"),
        ("-x", "a-z"),
        ("x..y", "a-z"),
        ("../../etc/passwd", "host"),
        ("localhost:5000/", "no repository"),
        ("host.example:port/x", "host"),
        ("host.example:0/x", "host"),
        ("-host.example/x", "host"),
        ("[::g]/x", "host"),
        ("x@sha256:abc", "digest"),
        (&short_digest, "digest"),
        ("x@md5:900150983cd24fb0d6963f7d28e17f72", "digest"),
        (&long_name, "255"),
        (&id, "id"),
        ("x\n", "a-z"),
        ("ñandú", "a-z"),
    ] {
        let error = text.parse::<Reference>().expect_err(text).to_string();
        assert!(error.starts_with("invalid reference format"), "{error}");
        assert!(error.contains(rule), "{text:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn only_loopback_registries_are_asked_in_plain_http() {
    for text in ["localhost/x", "localhost:5000/x", "127.0.0.1/x", "127.8.9.10:80/x", "[::1]:5000/x"] {
        assert!(parse(text).origin().starts_with("http://"), "{text}");
    }
    for text in [
        "ubuntu",
        "10.0.0.1:5000/x",
        "localhost.example/x",
        "127.0.0.1.example/x",
        "[::2]/x",
        "h.example:80/x",
    ] {
        assert!(parse(text).origin().starts_with("https://"), "{text}");
    }
    assert_eq!(parse("ubuntu").origin(), "https://registry-1.docker.io");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = text.parse::<Reference>();
    }

    #[test]
    fn text_that_looks_like_a_reference_does_not_either(text in "[a-zA-Z0-9._:/@\\[\\]-]{0,80}") {
        if let Ok(reference) = text.parse::<Reference>() {
            // Both forms mean the same again, and neither can lead anywhere as a path or URL.
            prop_assert_eq!(&reference.canonical().parse::<Reference>().unwrap(), &reference);
            prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
            prop_assert!(!reference.repository.split('/').any(|part| part.is_empty() || part == ".." || part == "."));
        }
    }

    #[test]
    fn a_valid_reference_is_taken_apart_into_what_it_was_made_of(
        registry in "[a-z]{1,9}\\.[a-z]{2,5}(:[1-9][0-9]{0,3})?",
        repository in "[a-z0-9]{1,9}([._-][a-z0-9]{1,9}){0,2}(/[a-z0-9]{1,9}){0,3}",
        tag in "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
    ) {
        let reference: Reference = format!("{registry}/{repository}:{tag}").parse().unwrap();
        prop_assert_eq!(reference.registry, registry);
        prop_assert_eq!(reference.repository, repository);
        prop_assert_eq!(reference.tag, Some(tag));
        prop_assert_eq!(reference.digest, None);
    }
}
