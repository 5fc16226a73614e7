//! Many at the same time.

use std::fs;
use std::thread;

use e2e::case;
use e2e::case::Case;
use e2e::lab::Lab;
use e2e::program::Ran;

pub const CASES: &[Case] = &[
    case!(ten_runs_at_once_all_work).within(120),
    case!(ten_of_the_same_name_make_one).within(120),
    case!(a_container_is_removed_by_many_at_once).within(120),
    case!(many_execs_at_once_keep_their_output_apart).within(120),
];

/// Starts these commands together, and waits for all of them.
fn together(lab: &Lab, commands: Vec<Vec<String>>) -> Vec<Ran> {
    lab.with_daemon();
    let commands: Vec<_> = commands
        .iter()
        .map(|arguments| lab.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    let threads: Vec<_> = commands
        .into_iter()
        .map(|mut command| {
            let what = format!("{:?}", command.get_args());
            thread::spawn(move || Ran::new(what, command.output().unwrap()))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn ten_runs_at_once_all_work(lab: &Lab) {
    // However slow the machine is: none of them ends before all are there.
    let meeting = lab.folder.join("meeting");
    fs::create_dir(&meeting).unwrap();
    let script = "ip addr show eth0 | grep 'inet ' | tr -s ' ' | cut -d ' ' -f 3; touch /meeting/$(hostname); \
        for i in $(seq 600); do [ $(ls /meeting | wc -l) = 10 ] && exit; sleep 0.1; done; exit 1";
    // The first ones make the image, at once, too.
    let mut run = words(&format!("run --rm -v {}:/meeting base sh -c", meeting.display()));
    run.push(script.to_owned());
    let all = together(lab, vec![run; 10]);
    let mut addresses: Vec<_> = all.into_iter().map(|ran| ran.ok().text().to_owned()).collect();
    assert!(addresses.iter().all(|address| address.contains('.')), "{addresses:?}");
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 10, "each has an address of its own: {addresses:?}");
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn ten_of_the_same_name_make_one(lab: &Lab) {
    lab.canoa(&["run", "--rm", "base", "true"]).ok();
    let all = together(lab, vec![words("create --name same base true"); 10]);
    assert_eq!(all.iter().filter(|ran| ran.code == 0).count(), 1);
    for ran in all.into_iter().filter(|ran| ran.code != 0) {
        ran.complains_about("already in use");
    }
    assert_eq!(lab.canoa(&["ps", "-aq"]).ok().lines().len(), 1);
}

fn a_container_is_removed_by_many_at_once(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let all = together(lab, vec![words("rm -f box"); 5]);
    assert!(all.iter().any(|ran| ran.code == 0));
    for ran in all.iter().filter(|ran| ran.code != 0) {
        let said = ran.stderr.to_lowercase();
        assert!(said.contains("no such container") || said.contains("already in progress"), "{ran}");
    }
    lab.canoa(&["ps", "-aq"]).ok().says("");
}

fn many_execs_at_once_keep_their_output_apart(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let all = together(lab, (0..10).map(|number| words(&format!("exec box echo number-{number}"))).collect());
    for (number, ran) in all.into_iter().enumerate() {
        ran.ok().says(&format!("number-{number}"));
    }
}
