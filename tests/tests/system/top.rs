//! `top`, with the options of ps(1) and without: by the stock client and by ours.

use e2e::case;
use e2e::case::Case;
use e2e::lab::{Lab, eventually};
use e2e::need::Need;
use e2e::program::Ran;

use crate::docker_client::docker;

pub const CASES: &[Case] = &[
    case!(top_shows_the_columns_that_one_asks_for).needs(&[Need::Tool("ps")]).in_both_forms(),
    case!(docker_top_shows_the_columns_that_one_asks_for).needs(&[Need::Tool("ps"), Need::Tool("docker")]),
    case!(top_of_one_that_shares_its_processes_shows_its_own).needs(&[Need::Canoa, Need::Tool("ps")]),
];

fn top_shows_the_columns_that_one_asks_for(lab: &Lab) {
    top(lab, |arguments| lab.canoa(arguments));
}

fn docker_top_shows_the_columns_that_one_asks_for(lab: &Lab) {
    top(lab, |arguments| docker(lab, arguments));
}

/// A table's words, line by line.
fn table(ran: &Ran) -> Vec<Vec<String>> {
    let words = |line: &&str| line.split_whitespace().map(str::to_owned).collect();
    ran.lines().iter().map(words).collect()
}

fn top(lab: &Lab, client: impl Fn(&[&str]) -> Ran) {
    // Somebody else, who must not be seen.
    lab.runs("other", &["sleep", "2000"]);
    lab.runs("box", &["sh", "-c", "sleep 1000; true"]);
    eventually("its child is a sleep", || lab.canoa(&["top", "box"]).ok().text().ends_with("sleep 1000"));
    let pid = lab.pid("box").to_string();
    let two = table(&client(&["top", "box", "-o", "pid,cmd"]).ok());
    assert_eq!(two[0], ["PID", "CMD"]);
    assert_eq!(two.len(), 3, "{two:?}");
    assert!(
        two.contains(&vec![
            pid.clone(),
            "sh".into(),
            "-c".into(),
            "sleep".into(),
            "1000;".into(),
            "true".into()
        ]),
        "{two:?}"
    );
    for (options, titles, last) in [
        (&["aux"][..], "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND", "1000"),
        (&["-ef"], "UID PID PPID C STIME TTY TIME CMD", "1000"),
        // f and -q don't go together: then ps shows all, and the rows of others are left out.
        (&["axf"], "PID TTY STAT TIME COMMAND", "1000"),
        (&["-e", "-o", "ppid,pid,args"], "PPID PID COMMAND", "1000"),
    ] {
        let rows = table(&client(&[&["top", "box"], options].concat()).ok());
        assert_eq!(rows[0].join(" "), titles, "{options:?}");
        assert_eq!(rows.len(), 3, "{options:?}: {rows:?}");
        assert!(rows.iter().any(|row| row.last().is_some_and(|word| word == last)), "{rows:?}");
    }
    // With the threads, whose rows have no pid.
    let threads = table(&client(&["top", "box", "m"]).ok());
    assert_eq!(threads.len(), 5, "{threads:?}");
    for (options, words) in [
        (&["-o", "cmd"][..], "Couldn't find PID field in ps output"),
        (&["-o", "pid,cmd=PID"], "specifying \"pid,cmd=PID\" is not allowed"),
        (&["--nope"], "ps: error: unknown gnu long option"),
        (&["-o", "nope"], "ps: error: unknown user-defined format specifier \"nope\""),
        // Words for ps, and nobody else's.
        (&["-o", "pid;id"], "ps: error: unknown user-defined format specifier \"pid;id\""),
        (&["-C", "$(id)"], "ps: exit status 1"),
    ] {
        client(&[&["top", "box"], options].concat()).exits(1).complains_about(words);
    }
    lab.canoa(&["create", "--name", "idle", "base", "true"]).ok();
    client(&["top", "idle", "aux"]).exits(1).complains_about("is not running");
    client(&["top", "nobody", "aux"]).exits(1).complains_about("No such container: nobody");
}

fn top_of_one_that_shares_its_processes_shows_its_own(lab: &Lab) {
    lab.runs("box", &["sleep", "1000"]);
    let guest = ["run", "-d", "--name", "guest", "--pid", "container:box", "base", "sleep", "3000"];
    lab.canoa(&guest).ok();
    let rows = table(&lab.canoa(&["top", "guest", "-o", "pid,args"]).ok());
    assert_eq!(rows[1..], [[lab.pid("guest").to_string(), "sleep".into(), "3000".into()]]);
}
