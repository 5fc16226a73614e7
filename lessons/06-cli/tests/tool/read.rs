//! What people read: the list of containers, and what can't be.

use crate::lab::{As, Test, Tool};

pub const TESTS: &[Test] = &[
    ("the_list_of_containers_is_as_people_know_it", &[As::User], list),
    ("what_can_not_be_is_said_in_one_sentence", &[As::User], errors),
];

/// What a command prints and its exit code; ids and folders are others each time.
fn seen(tool: &Tool, words: &[&str], ids: &[String]) -> String {
    let output = tool.output(words);
    let mut text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    for id in ids {
        text = text.replace(&id[..12], "123456789abc");
    }
    format!("$ lesson-06 {}\n{text}{}\n", words.join(" "), output.status)
}

fn list(tool: &Tool) {
    let mut ids = vec![tool.says(&["create", "--name", "anchor", "base", "sleep", "1000"])];
    let names = ["boat", "canoe", "dinghy"];
    for (name, program) in names.into_iter().zip([&["true"][..], &["sh", "-c", "exit 42"], &["no-such"]]) {
        tool.output(&[&["run", "--name", name, "base"], program].concat());
        // Ids are random, and the list goes by them: one at a time.
        ids.push(tool.id(name));
    }
    ids.push(tool.says(&["run", "-d", "--name", "eight", "base", "sleep", "1000"]));
    let text = seen(tool, &["ps", "-a"], &ids);
    let mut lines: Vec<&str> = text.lines().collect();
    let count = lines.len();
    lines[2..count - 1].sort_by_key(|line| line.split_whitespace().last());
    insta::assert_snapshot!(lines.join("\n"));
    insta::assert_snapshot!(seen(tool, &["ps"], &ids));
}

fn errors(tool: &Tool) {
    let id = tool.says(&["create", "--name", "boat", "base", "true"]);
    let all = [
        &["create", "--name", "boat", "base"][..],
        &["create", "--name", "../x", "base"],
        &["create", "Base"],
        &["create", "-v", "/tmp", "base"],
        &["create", "--log-opt", "max-size=ten", "base"],
        &["create", "-p", "0", "base"],
        &["start", "nobody"],
        &["exec", "boat", "true"],
        &["run", "--rm", "base", "no-such-program"],
        &["run", "--rm", "base", "/etc/hosts"],
        &["run", "--rm", "-v", "/no/such:/folder", "base", "true"],
    ];
    let said: Vec<String> =
        all.into_iter().map(|words| seen(tool, words, std::slice::from_ref(&id))).collect();
    // Sixty-four digits: what stands after those twelve.
    insta::assert_snapshot!(said.join("\n").replace(&id[12..], "…"));
}
