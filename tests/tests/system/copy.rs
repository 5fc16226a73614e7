//! `cp`: files in and out, by the stock client and by ours.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;

use crate::docker_client::docker;

pub const CASES: &[Case] = &[
    case!(cp_goes_both_ways).in_both_forms(),
    case!(docker_cp_goes_both_ways).needs(&[Need::Tool("docker")]),
    case!(cp_knows_volumes_and_what_is_read_only).needs(&[Need::Canoa]),
    case!(cp_is_not_led_out_of_a_container).needs(&[Need::Canoa]),
    case!(cp_of_a_tree_keeps_links_and_modes),
    case!(cp_gives_files_to_the_containers_user).needs(&[Need::Users]),
    case!(a_client_that_stands_still_keeps_nobody_from_removing_or_starting).needs(&[Need::Canoa]),
];

fn cp_goes_both_ways(lab: &Lab) {
    both_ways(lab, |arguments| lab.canoa(arguments));
}

fn docker_cp_goes_both_ways(lab: &Lab) {
    both_ways(lab, |arguments| docker(lab, arguments));
}

/// The rules of Docker's manual, on a running and on a stopped container.
fn both_ways(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    let home = lab.folder.join("home");
    fs::create_dir_all(home.join("dir/sub")).unwrap();
    fs::write(home.join("dir/sub/deep"), "deep").unwrap();
    fs::write(home.join("file"), "some words").unwrap();
    lab.runs("running", &["sleep", "1000"]);
    lab.canoa(&["create", "--name", "stopped", "base", "cat", "/tmp/file"]).ok();
    for name in ["running", "stopped"] {
        let at = |path: &str| format!("{name}:{path}");
        let out = |path: &str| {
            let _ = fs::remove_file(home.join("back"));
            client(&["cp", &at(path), "back"]).ok();
            fs::read_to_string(home.join("back")).unwrap()
        };
        client(&["cp", "file", &at("/tmp")]).ok();
        assert_eq!(out("/tmp/file"), "some words");
        client(&["cp", "file", &at("/tmp/other")]).ok();
        assert_eq!(out("/tmp/other"), "some words");
        assert_ne!(client(&["cp", "file", &at("/tmp/nowhere/")]).code, 0);
        assert_ne!(client(&["cp", "dir", &at("/tmp/file")]).code, 0);
        // A folder: into one that is there; with a new name; and what is in it.
        client(&["cp", "dir", &at("/tmp")]).ok();
        assert_eq!(out("/tmp/dir/sub/deep"), "deep");
        client(&["cp", "dir", &at("/tmp/new")]).ok();
        assert_eq!(out("/tmp/new/sub/deep"), "deep");
        client(&["cp", "dir/.", &at("/tmp")]).ok();
        assert_eq!(out("/tmp/sub/deep"), "deep");
        // And back.
        client(&["cp", &at("/tmp/dir"), "renamed"]).ok();
        fs::create_dir(home.join("renamed/content")).unwrap();
        client(&["cp", &at("/tmp/dir/."), "renamed/content"]).ok();
        client(&["cp", &at("/tmp/dir/."), "renamed/anew"]).ok();
        for path in ["renamed/sub/deep", "renamed/content/sub/deep", "renamed/anew/sub/deep"] {
            assert_eq!(fs::read_to_string(home.join(path)).unwrap(), "deep", "{path}");
        }
        fs::remove_dir_all(home.join("renamed")).unwrap();
        let missing = client(&["cp", &at("/nope"), "."]).exits(1);
        missing.complains_about(&format!("Could not find the file /nope in container {name}"));
        // As a stream.
        let tar = client(&["cp", &at("/tmp/dir"), "-"]).ok();
        assert!(tar.stdout.contains("dir/sub/deep"), "it is a tar archive");
    }
    // What was put into the stopped one is there when it runs.
    lab.canoa(&["start", "-a", "stopped"]).ok().says("some words");
    let path = home.join("archive.tar");
    lab.host(&["tar", "cf", &path.to_string_lossy(), "-C", &home.to_string_lossy(), "file"]).ok();
    let archive = fs::read(path).unwrap();
    lab.canoa(&["exec", "running", "mkdir", "/tmp/in"]).ok();
    lab.canoa_reading(&archive, &["cp", "-", "running:/tmp/in"]).ok();
    lab.canoa(&["exec", "running", "cat", "/tmp/in/file"]).ok().says("some words");
    lab.canoa_reading(&archive, &["cp", "-", "running:/tmp/in/file"]).exits(1);
}

fn cp_knows_volumes_and_what_is_read_only(lab: &Lab) {
    let home = lab.folder.join("home");
    fs::write(home.join("file"), "words").unwrap();
    lab.canoa(&["volume", "create", "data"]).ok();
    lab.canoa(&["create", "--name", "writes", "-v", "data:/data", "base", "cat", "/data/file"]).ok();
    lab.canoa(&["create", "--name", "reads", "-v", "data:/data:ro", "base", "sleep", "1000"]).ok();
    lab.canoa(&["create", "--name", "fixed", "--read-only", "-v", "data:/data", "base", "sleep", "1000"])
        .ok();
    for _ in 0..2 {
        lab.canoa(&["cp", "file", "writes:/data/file"]).ok();
        lab.canoa(&["cp", "reads:/data/file", "back"]).ok();
        assert_eq!(fs::read_to_string(home.join("back")).unwrap(), "words");
        let refused = lab.canoa(&["cp", "file", "reads:/data/other"]).exits(1);
        refused.complains_about("mounted volume is marked read-only");
        let refused = lab.canoa(&["cp", "file", "fixed:/etc"]).exits(1);
        refused.complains_about("container rootfs is marked read-only");
        lab.canoa(&["cp", "file", "fixed:/data/file"]).ok();
        // And now the same while they run.
        lab.canoa(&["start", "reads", "fixed"]).ok();
    }
    lab.canoa(&["start", "-a", "writes"]).ok().says("words");
    // The volume is in the tree of the whole; the kernel's own folders are only places.
    let tar = lab.canoa(&["cp", "reads:/", "-"]).ok().stdout;
    assert!(tar.contains("/data/file") && !tar.contains("proc/1/"), "volumes, and not /proc");
    lab.canoa(&["cp", "reads:/proc/1/environ", "-"]).exits(1).complains_about("the kernel's own");
}

fn cp_is_not_led_out_of_a_container(lab: &Lab) {
    let home = lab.folder.join("home");
    let secret = home.join("secret");
    fs::write(&secret, "the host's").unwrap();
    fs::write(home.join("file"), "words").unwrap();
    let lies = format!(
        "ln -s {0} /tmp/link; ln -s {1} /tmp/out; ln -s ../../../../.. /tmp/up; echo ready; sleep 1000",
        secret.display(),
        home.display()
    );
    lab.runs("liar", &["sh", "-c", &lies]);
    eventually("the links are made", || lab.canoa(&["logs", "liar"]).stdout.contains("ready"));
    for _ in 0..2 {
        // What a link names is looked for inside, where it isn't.
        lab.canoa(&["cp", "-L", "liar:/tmp/link", "back"]).exits(1);
        lab.canoa(&["cp", "liar:/tmp/link/.", "back"]).exits(1);
        assert!(!home.join("back").exists());
        lab.canoa(&["cp", "file", "liar:/tmp/out/planted"]).exits(1);
        assert!(!home.join("planted").exists());
        let up = format!("liar:/tmp/up{}", secret.display());
        lab.canoa(&["cp", &up, "back"]).exits(1);
        // Archives that would lead out, by their names or by links of their own.
        for archive in hostile(&home) {
            lab.canoa_reading(&archive, &["cp", "-", "liar:/tmp"]);
            assert_eq!(fs::read_to_string(&secret).unwrap(), "the host's");
            assert!(!home.join("planted").exists() && !Path::new("/planted").exists());
        }
        lab.canoa(&["stop", "-t", "0", "liar"]).ok();
    }
}

/// `..`, an absolute name, links and then a file behind them, a hard link to the host's file.
fn hostile(home: &Path) -> Vec<Vec<u8>> {
    use tar::EntryType::{self, Link, Regular, Symlink};
    let one = |entries: &[(&str, EntryType, &str)]| {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, kind, link) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_size(0);
            // To the letter: the builder would refuse such names.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_cksum();
            archive.append(&header, std::io::empty()).unwrap();
        }
        archive.into_inner().unwrap()
    };
    let home = home.to_string_lossy();
    let (planted, secret) = (format!("{home}/planted"), format!("{home}/secret"));
    vec![
        one(&[("../../../../../../planted", Regular, "")]),
        one(&[(&planted, Regular, "")]),
        one(&[("door", Symlink, &home), ("door/planted", Regular, "")]),
        one(&[("hard", Link, &secret), ("hard", Regular, "")]),
        one(&[("up", Symlink, "../../../../../.."), ("up/planted", Regular, "")]),
    ]
}

fn cp_of_a_tree_keeps_links_and_modes(lab: &Lab) {
    let make = "mkdir /tree; cd /tree; echo a > a; chmod 4751 a; ln a b; ln -s a c; mkdir -m 700 d; mkfifo e; \
                echo ready; sleep 1000";
    lab.runs("box", &["sh", "-c", make]);
    eventually("it is made", || lab.canoa(&["logs", "box"]).stdout.contains("ready"));
    lab.canoa(&["cp", "box:/tree", "."]).ok();
    let list = lab.host(&["stat", "-c", "%n %f %h", "tree/a", "tree/b", "tree/c", "tree/d", "tree/e"]).ok();
    list.says("tree/a 89e9 2\ntree/b 89e9 2\ntree/c a1ff 1\ntree/d 41c0 2\ntree/e 11a4 1");
    // And in again, where it is as it was.
    lab.canoa(&["cp", "tree", "box:/again"]).ok();
    let list = lab.canoa(&["exec", "box", "stat", "-c", "%n %f %h", "/again/a", "/again/b"]).ok();
    list.says("/again/a 89e9 2\n/again/b 89e9 2");
    // A link by itself, and what it leads to.
    lab.canoa(&["cp", "box:/tree/c", "."]).ok();
    assert_eq!(fs::read_link(lab.folder.join("home/c")).unwrap(), Path::new("a"));
    lab.canoa(&["cp", "-L", "box:/tree/c", "target"]).ok();
    assert_eq!(fs::read_to_string(lab.folder.join("home/target")).unwrap(), "a\n");
}

fn cp_gives_files_to_the_containers_user(lab: &Lab) {
    fs::write(lab.folder.join("home/file"), "words").unwrap();
    lab.canoa(&["run", "-d", "--name", "box", "-u", "12:34", "base", "sleep", "1000"]).ok();
    lab.canoa(&["cp", "-a", "file", "box:/tmp/his"]).ok();
    lab.canoa(&["exec", "box", "stat", "-c", "%u:%g", "/tmp/his"]).ok().says("12:34");
}

/// Asks for all of a container's files and reads only their beginning.
fn stands_still(lab: &Lab, name: &str) -> UnixStream {
    let mut stream = UnixStream::connect(lab.socket()).unwrap();
    write!(stream, "GET /containers/{name}/export HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut beginning = [0; 4096];
    assert!(stream.read(&mut beginning).unwrap() > 0);
    stream
}

fn a_client_that_stands_still_keeps_nobody_from_removing_or_starting(lab: &Lab) {
    let fill = "test -e /large || head -c 30m /dev/zero > /large; echo ready; sleep 1000";
    for name in ["one", "two"] {
        lab.runs(name, &["sh", "-c", fill]);
        eventually("it is large", || lab.canoa(&["logs", name]).stdout.contains("ready"));
    }
    // While it runs: it can be stopped and removed.
    let _client = stands_still(lab, "one");
    let before = Instant::now();
    lab.canoa(&["rm", "-f", "one"]).ok();
    assert!(before.elapsed() < Duration::from_secs(4), "rm -f took {:?}", before.elapsed());
    // While it doesn't: it can be started, a little later; and who got half of it is told so.
    lab.canoa(&["stop", "-t", "0", "two"]).ok();
    let mut client = stands_still(lab, "two");
    let before = Instant::now();
    lab.canoa(&["start", "two"]).ok();
    assert!(before.elapsed() < Duration::from_secs(10), "start took {:?}", before.elapsed());
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "that is the end of a whole answer");
    // A client that reads gets all of it.
    assert!(lab.canoa(&["export", "two"]).ok().stdout.len() > 30 << 20);
}
