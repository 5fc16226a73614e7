//! `docker top CONTAINER aux`: the machine's own `ps`, with options of the asker's choice, of which the
//! rows of the container's processes are kept. As dockerd does it: there is no other program that
//! knows all of ps(1)'s columns and ways to write them.
//!
//! The options come from a client. They are words for one program, never a shell's; it gets nothing of
//! the engine's environment, where some variables change what it prints (ps(1)), and no input.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use super::error::{Error, Kind, Result};
use super::processes::Top;

/// Runs `ps` with these options and keeps the rows of these processes. It blocks.
///
/// # Errors
/// What `ps` complains of; columns among which the pid isn't found, in Docker's words.
pub fn top(options: &str, pids: &BTreeSet<i32>) -> Result<Top> {
    check(options)?;
    // As dockerd splits them: two blanks are an empty word.
    let words: Vec<&str> = options.split(' ').collect();
    let numbers = pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut output = run(&words, Some(&format!("-q{numbers}")))?;
    if !output.status.success() {
        // Some options (f) don't go together with -q: then all the machine's processes come.
        output = run(&words, None)?;
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let why = said.lines().next().filter(|line| !line.is_empty());
        let why =
            why.map_or_else(|| format!("exit status {}", output.status.code().unwrap_or(1)), str::to_owned);
        return Err(failed(format!("ps: {why}")));
    }
    parse(&String::from_utf8_lossy(&output.stdout), pids)
}

fn run(words: &[&str], only: Option<&str>) -> Result<Output> {
    let mut ps = Command::new("ps");
    ps.args(words).args(only).env_clear().stdin(Stdio::null());
    ps.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
    ps.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            failed("ps: not found on the engine's machine: install procps, or ask without options".to_owned())
        }
        _ => failed(format!("ps: {error}")),
    })
}

/// Docker's status for all of these, its clients' mistakes included.
fn failed(message: String) -> Error {
    Error { kind: Kind::Internal, message }
}

/// A column that is given the heading PID (`-o cmd=PID`) would be taken for the pids.
fn check(options: &str) -> Result<()> {
    if options.contains('\0') {
        return Err(Error::invalid("ps: an option has a zero byte in it"));
    }
    for (place, _) in options.match_indices('=') {
        let column = options[..place].rsplit(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
        let heading = options[place + 1..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        let heading = heading.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
        let begins = column.len() < place;
        if begins && heading.starts_with("PID") && column != "pid" {
            return Err(failed(format!("specifying \"{column}={heading}\" is not allowed")));
        }
    }
    Ok(())
}

/// The table that `ps` printed, without the rows of others.
fn parse(text: &str, pids: &BTreeSet<i32>) -> Result<Top> {
    // Only these: a process may have other white space of Unicode's in its name.
    let fields = |line: &str| -> Vec<String> {
        let words = line.split(['\t', '\n', '\x0c', '\r', ' ']).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let mut lines = text.lines();
    let titles = fields(lines.next().unwrap_or_default());
    let place = titles.iter().position(|title| title == "PID");
    let place = place.ok_or_else(|| failed("Couldn't find PID field in ps output".to_owned()))?;
    let mut rows = Vec::new();
    // With option m each process has a row for each of its threads below its own, with "-" for a pid.
    let mut ours = false;
    for line in lines.filter(|line| !line.is_empty()) {
        let mut row = fields(line);
        let Some(pid) = row.get(place) else { continue };
        if pid != "-" {
            let number: i32 =
                pid.parse().map_err(|error| failed(format!("Unexpected pid '{pid}': {error}")))?;
            ours = pids.contains(&number);
        }
        if ours {
            // The last column is the one with blanks.
            let last = row.split_off((titles.len() - 1).min(row.len()));
            row.push(last.join(" "));
            rows.push(row);
        }
    }
    Ok(Top { titles, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pids(list: &[i32]) -> BTreeSet<i32> {
        list.iter().copied().collect()
    }

    #[test]
    fn the_rows_of_others_are_left_out_and_those_of_threads_belong_to_their_process() {
        let text = "  PID STAT COMMAND\n    7 -    sleep  1\n    - Ss   -\n   17 S    other\n    - S    -\n";
        let top = parse(text, &pids(&[7, 8])).unwrap();
        assert_eq!(top.titles, ["PID", "STAT", "COMMAND"]);
        assert_eq!(top.rows, [["7", "-", "sleep 1"], ["-", "Ss", "-"]]);
    }

    #[test]
    fn a_table_without_pids_is_an_error() {
        for text in ["", "CMD\nsleep\n", "usage: ps\n"] {
            let error = parse(text, &pids(&[7])).unwrap_err();
            assert_eq!(error.message, "Couldn't find PID field in ps output");
        }
        assert!(parse("PID CMD\nx y\n", &pids(&[7])).unwrap_err().message.starts_with("Unexpected pid 'x'"));
    }

    #[test]
    fn another_column_may_not_be_called_pid() {
        for options in ["-o pid,cmd", "-o pid=PID,cmd", "-o pid= PID", "aux", "-o cmd=X"] {
            check(options).unwrap();
        }
        for (options, words) in
            [("-o cmd=PID", "cmd=PID"), ("-e -o cmd= PIDs", "cmd=PIDs"), ("-o\tcmd=PID", "cmd=PID")]
        {
            let message = check(options).unwrap_err().message;
            assert_eq!(message, format!("specifying \"{words}\" is not allowed"));
        }
        check("-o x\0").unwrap_err();
    }

    #[test]
    fn words_are_no_shells() {
        let error = top("; id", &pids(&[1])).unwrap_err();
        assert!(error.message.starts_with("ps: "), "{error}");
        assert!(top("-o pid,cmd", &pids(&[std::process::id() as i32])).unwrap().rows.len() == 1);
    }
}
