//! What needs no kernel of the second version: it is played by plain files and a function.

use std::cell::RefCell;
use std::fs;

use tempfile::TempDir;

use super::*;

#[test]
fn shares_are_a_weight_of_the_other_scale() {
    assert_eq!((weight(2), weight(1024), weight(262_144)), (1, 39, 10_000));
}

/// A tree of groups in which the top has all controllers and nobody passes one on.
struct Tree {
    top: TempDir,
    /// What was asked for, in its order: `home/canoa +memory`.
    asked: RefCell<Vec<String>>,
    /// This one can't be passed on.
    stubborn: &'static str,
}

const INSIDE: &str = "canoa/boats/ab12";

impl Tree {
    fn new() -> Tree {
        let tree = Tree { top: TempDir::new().unwrap(), asked: RefCell::default(), stubborn: "" };
        for group in Path::new(INSIDE).ancestors() {
            let group = tree.top.path().join(group);
            fs::create_dir_all(&group).unwrap();
            fs::write(group.join("cgroup.controllers"), "").unwrap();
            fs::write(group.join("cgroup.subtree_control"), "").unwrap();
        }
        fs::write(tree.top.path().join("cgroup.controllers"), "cpuset cpu io memory hugetlb pids\n").unwrap();
        tree
    }

    fn words(&self, group: &Path, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.top.path().join(group).join(file)).unwrap();
        text.split_whitespace().map(str::to_owned).collect()
    }

    /// What the kernel does when `+memory` is written to a group's `cgroup.subtree_control`.
    fn pass_on(&self, group: &Path, controller: &str) -> Result<()> {
        let name = Path::new("home").join(group.strip_prefix(self.top.path()).unwrap());
        let name = name.display().to_string();
        let name = name.trim_end_matches('/');
        self.asked.borrow_mut().push(format!("{name} +{controller}"));
        let has = self.words(group, "cgroup.controllers").iter().any(|word| word == controller);
        if !has || controller == self.stubborn {
            return Err(Error::new("write", format!("+{controller} to {name}"), "refused"));
        }
        let add = |group: &Path, file| {
            let words = [self.words(group, file), vec![controller.to_owned()]].concat();
            fs::write(group.join(file), words.join(" ") + "\n").unwrap();
        };
        add(group, "cgroup.subtree_control");
        for below in fs::read_dir(group).unwrap().map(|entry| entry.unwrap().path()) {
            if below.is_dir() {
                add(&below, "cgroup.controllers");
            }
        }
        Ok(())
    }

    fn pass_all_on(&self, needed: &[&str]) -> Result<()> {
        pass_controllers_on(self.top.path(), Path::new(INSIDE), needed, |group, controller| {
            self.pass_on(group, controller)
        })
    }
}

#[test]
fn controllers_are_passed_on_from_the_top_down() {
    let tree = Tree::new();
    tree.pass_all_on(&["memory"]).unwrap();
    let ours = Path::new(INSIDE);
    let has = tree.words(ours, "cgroup.controllers");
    for controller in CONTROLLERS {
        assert!(
            has.iter().any(|word| word == controller),
            "ex-03-3: {INSIDE} has no {controller}: each group above it has to pass it on, from the top down, \
             needed or not. Asked for, in this order: {:?}",
            tree.asked.borrow()
        );
    }
    assert_eq!(
        tree.words(ours, "cgroup.subtree_control"),
        [""; 0],
        "ex-03-3: {INSIDE} itself passes something on: then no process may live in it"
    );
}

#[test]
fn what_is_passed_on_already_is_not_asked_for_again() {
    let tree = Tree::new();
    tree.pass_all_on(&[]).unwrap();
    tree.asked.borrow_mut().clear();
    tree.pass_all_on(&[]).unwrap();
    // A write to the kernel's file would wait for others, and may make room where there is no need.
    assert_eq!(tree.asked.take(), [""; 0], "ex-03-3: these are in cgroup.subtree_control already");
}

#[test]
fn a_controller_is_known_by_its_whole_name() {
    let tree = Tree::new();
    tree.pass_on(tree.top.path(), "cpuset").unwrap();
    let passed = tree.pass_all_on(&["cpu"]);
    let has = tree.words(Path::new(INSIDE), "cgroup.controllers");
    assert!(
        passed.is_ok() && has.contains(&"cpu".to_owned()),
        "ex-03-3: cpuset was passed on before, and that says nothing of cpu: compare whole words. {INSIDE} has \
         {has:?}; {passed:?}"
    );
}

#[test]
fn a_controller_that_cannot_be_passed_on_matters_only_if_it_is_needed() {
    let tree = Tree { stubborn: "cpu", ..Tree::new() };
    if let Err(error) = tree.pass_all_on(&["memory"]) {
        panic!("ex-03-3: cpu isn't needed, so that it can't be passed on is no failure: {error}");
    }
    let has = tree.words(Path::new(INSIDE), "cgroup.controllers");
    assert!(has.contains(&"pids".to_owned()), "ex-03-3: the others are passed on all the same: {has:?}");
    let error = Tree { stubborn: "cpu", ..Tree::new() }.pass_all_on(&["memory", "cpu"]);
    assert!(
        error.is_err_and(|error| error.on.contains("cpu")),
        "ex-03-3: cpu is needed, and can't be passed on"
    );
}
