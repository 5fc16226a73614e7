//! `ps`: its filters and formats, by the stock client and by ours.

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;

use crate::docker_client::docker;

const DOCKER: &[Need] = &[Need::Tool("docker")];

pub const CASES: &[Case] = &[
    case!(ps_shows_those_that_one_filters_for).in_both_forms(),
    case!(docker_ps_shows_those_that_one_filters_for).needs(DOCKER),
    case!(ps_counts_files_and_not_folders),
    case!(ps_shows_the_id_of_an_image_that_has_lost_its_name),
];

fn ps_shows_those_that_one_filters_for(lab: &Lab) {
    filters(|arguments| lab.canoa(arguments));
}

fn docker_ps_shows_those_that_one_filters_for(lab: &Lab) {
    filters(|arguments| docker(lab, arguments));
}

fn filters(client: impl Fn(&[&str]) -> Ran) {
    let volume = ["-v", "data:/d", "-v", "/tmp:/host", "--expose", "99", "--expose", "53/udp"];
    let flags = ["run", "-d", "--name", "web", "-l", "a=1", "-l", "b", "-p", "127.0.0.1::80"];
    client(&[&flags[..], &volume, &["base", "sleep", "1000"]].concat()).ok();
    client(&["create", "--name", "idle", "-l", "a=2", "base", "true"]).ok();
    client(&["run", "--name", "done", "--network", "none", "base", "sh", "-c", "exit 3"]).exits(3);
    let health = ["run", "-d", "--name", "sick", "--health-cmd", "false", "--health-interval", "50ms"];
    client(&[&health[..], &["--health-retries", "1", "base", "sleep", "1000"]].concat()).ok();
    eventually("it is found ill", || {
        client(&["inspect", "-f", "{{.State.Health.Status}}", "sick"]).ok().text() == "unhealthy"
    });
    let found = |flags: &[&str]| -> String {
        let ran = client(&[&["ps", "--format", "{{.Names}}"], flags].concat()).ok();
        ran.lines().join(" ")
    };
    let field =
        |name: &str, template: &str| client(&["inspect", "-f", template, name]).ok().text().to_owned();
    let (id, image) = (field("web", "{{.Id}}"), field("web", "{{.Image}}"));
    let port = client(&["port", "web", "80"]).ok().text().rsplit(':').next().unwrap().to_owned();
    let network = client(&["network", "inspect", "-f", "{{.Id}}", "bridge"]).ok().text().to_owned();
    let all = "sick done idle web";
    assert_eq!(found(&[]), "sick web");
    assert_eq!(found(&["-a"]), all);
    for (filter, expected) in [
        ("id", vec![(id[..7].to_owned(), "web"), (id[3..9].to_owned(), ""), ("(".to_owned(), "")]),
        (
            "name",
            [
                ("we", "web"),
                ("^/web$", "web"),
                ("^web$", "web"),
                ("i.*e", "idle"),
                ("web|done", "done web"),
                ("(", ""),
            ]
            .map(|(name, expected)| (name.to_owned(), expected))
            .to_vec(),
        ),
        ("label", vec![("a".into(), "idle web"), ("a=2".into(), "idle"), ("a=3".into(), "")]),
        ("exited", vec![("3".into(), "done"), ("0".into(), "")]),
        (
            "status",
            vec![
                ("running".into(), "sick web"),
                ("created".into(), "idle"),
                ("exited".into(), "done"),
                ("removing".into(), ""),
            ],
        ),
        (
            "ancestor",
            vec![
                ("base".into(), all),
                ("base:latest".into(), all),
                (image.clone(), all),
                (image[7..19].to_owned(), all),
                ("nope".into(), ""),
            ],
        ),
        ("before", vec![("idle".into(), "web"), ("sick".into(), "done idle web"), ("web".into(), "")]),
        ("since", vec![("idle".into(), "sick done"), ("web".into(), "sick done idle"), ("sick".into(), "")]),
        (
            "volume",
            vec![
                ("data".into(), "web"),
                ("/d".into(), "web"),
                ("/tmp".into(), "web"),
                ("/host".into(), "web"),
                ("/x".into(), ""),
            ],
        ),
        (
            "network",
            vec![("none".into(), "done"), (network[..12].to_owned(), "sick idle web"), ("sea".into(), "")],
        ),
        (
            "publish",
            vec![
                (port.clone(), "web"),
                (format!("{port}/tcp"), "web"),
                (format!("{port}/udp"), ""),
                ("80".into(), ""),
            ],
        ),
        (
            "expose",
            vec![
                ("80".into(), "web"),
                ("99/tcp".into(), "web"),
                ("50-60/udp".into(), "web"),
                ("53".into(), ""),
                ("1-79".into(), ""),
            ],
        ),
        (
            "health",
            vec![("unhealthy".into(), "sick"), ("healthy".into(), ""), ("none".into(), "done idle web")],
        ),
        ("is-task", vec![("true".into(), ""), ("false".into(), all)]),
        ("isolation", vec![("default".into(), all)]),
    ] {
        for (value, expected) in expected {
            let filter = format!("{filter}={value}");
            // dockerd writes down the network of one that was never started as none.
            let found = found(&["-a", "--filter", &filter]);
            assert!(
                found == expected || filter.starts_with("network=") && found == expected.replace(" idle", ""),
                "{filter}: {found}"
            );
        }
    }
    // Several of one kind: any of them; labels: all. Of several kinds: all.
    assert_eq!(found(&["-f", "status=exited", "-f", "status=created"]), "done idle");
    assert_eq!(found(&["-a", "-f", "label=a", "-f", "label=b"]), "web");
    assert_eq!(found(&["-a", "-f", "name=web", "-f", "name=done", "-f", "exited=3"]), "done");
    assert_eq!(found(&["-a", "-f", "since=web", "-f", "before=done"]), "idle");
    // Only a state, and a number, are about those as well that don't run.
    assert_eq!(found(&["-f", "name=done"]), "");
    assert_eq!(found(&["-f", "exited=3"]), "");
    assert_eq!((found(&["-n", "2"]), found(&["-l"])), ("sick done".to_owned(), "sick".to_owned()));
    assert_eq!(found(&["-n", "0"]), "sick web");
    assert_eq!(found(&["-n", "1", "-f", "label=a"]), "idle");
    for (filter, words) in [
        ("nope=1", "nvalid filter 'nope'"),
        ("status=nope", "nvalid filter 'status=nope'"),
        ("is-task=x", "nvalid filter 'is-task=[x]'"),
        ("health=x", "filter value for health: x"),
        ("exited=x", "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("publish=x", "error while looking up for publish x"),
        ("expose=1:2", "filter for 'expose' should not contain ':': 1:2"),
        ("since=nobody", "o such container"),
    ] {
        client(&["ps", "-f", filter]).exits(1).complains_about(words);
    }
}

fn ps_counts_files_and_not_folders(lab: &Lab) {
    let write = "mkdir /new; head -c 1000 /dev/zero > /new/file; ln /new/file /new/again";
    lab.canoa(&["run", "--name", "box", "base", "sh", "-c", write]).ok();
    let said = lab.canoa(&["ps", "-a", "--format", "{{.Size}}"]).ok();
    assert!(said.text().starts_with("1kB (virtual "), "{said}");
    lab.canoa(&["ps", "-as"]).ok().mentions("SIZE").mentions("1kB (virtual ");
    let json: serde_json::Value =
        serde_json::from_str(&lab.canoa(&["ps", "-a", "--format", "{{json .}}"]).ok().stdout).unwrap();
    assert_eq!(
        (&json["Platform"], json["Size"].as_str().unwrap().starts_with("1kB")),
        (&serde_json::Value::Null, true)
    );
}

fn ps_shows_the_id_of_an_image_that_has_lost_its_name(lab: &Lab) {
    lab.canoa(&["create", "--name", "box", "base", "true"]).ok();
    lab.canoa(&["tag", "base", "other:1"]).ok();
    lab.canoa(&["create", "--name", "late", "other:1", "true"]).ok();
    let images = || lab.canoa(&["ps", "-a", "--format", "{{.Image}}"]).ok().stdout;
    assert_eq!(images(), "other:1\nbase\n");
    lab.canoa(&["rmi", "other:1"]).ok();
    let id = lab.inspect("base")["Id"].as_str().unwrap()[7..19].to_owned();
    assert_eq!(images(), format!("{id}\nbase\n"));
}
